import { bootStep } from '../actors/boot-steps.ts'
import { INIT_SEQUENCE, initStep } from '../actors/init-steps.ts'
import { NODE_SEQUENCE, nodeStep } from '../actors/node-steps.ts'
import { WEB_SEQUENCE, webStep } from '../actors/web-steps.ts'

/** A documented step: who does what to whom. The receiving side (`to`) marks it with evidence. */
export interface DocumentedStep {
  readonly number: number
  readonly from: string
  readonly to: string
  readonly what: string
  /** Where the source note says so. */
  readonly source: string
  /** Happens once for each service that logs in. */
  readonly each?: true
  /** Left out when `boot/config` is there already. */
  readonly firstBootOnly?: true
}

export interface Sequence {
  readonly name: string
  readonly title: string
  readonly steps: readonly DocumentedStep[]
}

type Occurs = Pick<DocumentedStep, 'each' | 'firstBootOnly'>
const each: Occurs = { each: true }
const firstBoot: Occurs = { firstBootOnly: true }
const ANY_SERVICE = 'service'

const step = (
  number: number, from: string, to: string, what: string, section: string, occurs: Occurs = {},
): DocumentedStep => ({ number, from, to, what, source: `buckyos-logins: ${section}`, ...occurs })

/** Boot as the note on logins documents it: the BOOT phase, then the login of each role. */
export const bootSequence: Sequence = {
  name: 'boot',
  title: 'A zone boots',
  steps: [
    step(bootStep.trustKeyReceived, 'ood', 'system-config', 'starts it; its ENV holds the first trust key', 'BOOT 1'),
    step(bootStep.bootTokenReceived, 'ood', 'boot-scheduler',
      'starts the boot schedule; its ENV holds a token signed by the device key', 'BOOT 2', firstBoot),
    step(bootStep.vaultKeyEnsured, 'boot-scheduler', 'vault',
      'asks for the key pair of verify-hub', 'verify-hub', firstBoot),
    step(bootStep.firstWrite, 'boot-scheduler', 'system-config',
      'makes the first write, authenticated by that token', 'BOOT 2', firstBoot),
    step(bootStep.normalPhase, 'system-config', 'system-config',
      'leaves boot phase: trusts its device, the owner and verify-hub', 'System Config, trust keys'),
    step(bootStep.deviceSession, 'node-daemon', 'system-config',
      'reads its node config by a self-issued session', 'OOD'),
    step(bootStep.vaultKeyRead, 'verify-hub', 'vault', 'reads its private key, once', 'verify-hub'),
    step(bootStep.verifyHubSession, 'verify-hub', 'system-config',
      'reads config by a self-issued session', 'verify-hub'),
    step(bootStep.verifyHubKeyLoaded, 'vault', 'verify-hub', 'holds the key that boot/config names', 'verify-hub'),
    step(bootStep.loginTokenReceived, 'node-daemon', ANY_SERVICE,
      'starts it; its ENV holds a login token', 'OOD, Service 1', each),
    step(bootStep.loginReceived, ANY_SERVICE, 'verify-hub', 'logs in by that token', 'Service 2', each),
    step(bootStep.pairReceived, 'verify-hub', ANY_SERVICE, 'gives session and refresh token', 'Service 3', each),
    step(bootStep.serviceSession, ANY_SERVICE, 'system-config', 'reads config by that session', 'Service', each),
    step(bootStep.refreshReceived, ANY_SERVICE, 'verify-hub', 'rotates its refresh token', 'Service 4', each),
    step(bootStep.gatewayServing, 'node-daemon', 'gateway', 'serves HTTP', 'Gateway'),
  ],
}

/** The login of a node, as the same note documents it: each node goes through it, at each of its starts. */
export const nodeSequence: Sequence = {
  name: NODE_SEQUENCE,
  title: 'A node logs in',
  steps: [
    step(nodeStep.loginTokenSigned, 'node', 'node-daemon', 'signs a login token with its device key', 'Node Server 1'),
    step(nodeStep.loginReceived, 'node-daemon', 'verify-hub', 'logs in by that token', 'Node Server 2'),
    step(nodeStep.pairReceived, 'verify-hub', 'node-daemon', 'gives session and refresh token', 'Node Server 3'),
    step(nodeStep.refreshReceived, 'node-daemon', 'verify-hub', 'rotates its refresh token', 'Node Server 4'),
    step(nodeStep.configRead, 'node-daemon', 'system-config', 'reads its node config by that session', 'Node Server'),
  ],
}

const initial = (number: number, from: string, to: string, what: string): DocumentedStep =>
  ({ number, from, to, what, source: `rk8s-libvault: initialisation ${number}` })

/** What `gen pems` does of it; `start` does the others. */
export const lastPemsStep: number = initStep.pemsSaved

/** The initialisation on etcd, as the note on the vault documents it. */
export const initSequence: Sequence = {
  name: INIT_SEQUENCE,
  title: 'A zone is initialised on etcd',
  steps: [
    initial(initStep.pemsAsked, 'admin', 'ood', 'runs gen pems, which starts a vault on files'),
    initial(initStep.authoritiesAsked, 'ood', 'vault', 'asks for the root CA, and the CA of etcd'),
    initial(initStep.certificatesReceived, 'vault', 'ood', 'gives the certificates that it signed for the keys'),
    initial(initStep.pemsSaved, 'ood', 'admin', 'saves them as files'),
    initial(initStep.startAsked, 'admin', 'ood', 'runs start'),
    initial(initStep.vaultUnsealed, 'ood', 'vault', 'starts it, and opens it by the unseal key'),
    initial(initStep.etcdAsked, 'ood', 'etcd', 'connects with its certificate'),
    initial(initStep.etcdAnswered, 'etcd', 'ood', 'answers, with a certificate of the same CA'),
    initial(initStep.moveAsked, 'ood', 'vault', 'orders the move of the stores into etcd'),
    initial(initStep.entriesWritten, 'vault', 'etcd', 'writes what the stores hold, encrypted as it is'),
    initial(initStep.entriesVerified, 'etcd', 'vault', 'gives it back: entries and digest are the same'),
    initial(initStep.moveConfirmed, 'vault', 'ood', 'confirms: the stores are in etcd from now on'),
    initial(initStep.servicesStarted, 'ood', 'ood', 'starts the regular services'),
    initial(initStep.ready, 'ood', 'admin', 'is ready, with the vault on etcd'),
  ],
}

/** The sign-in by browser, as the same note asks for it: once for each app, then again whenever a session is over. */
export const webSequence: Sequence = {
  name: WEB_SEQUENCE,
  title: 'A person signs in by browser',
  steps: [
    step(webStep.pageAsked, 'browser', 'gateway',
      'asks the host of an app for a page, without a session, and is sent to the sign-in page', 'Gateway, http-cookie'),
    step(webStep.signInAsked, 'browser', 'gateway', 'asks the host of the zone for that page', 'User (Web)'),
    step(webStep.passwordReceived, 'browser', 'gateway', 'sends a name and a password for that app', 'User (Web)'),
    step(webStep.pairReceived, 'verify-hub', 'gateway',
      'gives session and refresh token for that app, and the browser gets a code', 'login_by_passwd'),
    step(webStep.codeReceived, 'browser', 'gateway',
      'brings the code to the host of the app, and gets the cookies there', 'Gateway, http-cookie'),
    step(webStep.sessionReceived, 'browser', 'gateway', 'asks for the page with these cookies', 'Gateway, http-cookie'),
    step(webStep.serviceTokenReceived, 'verify-hub', 'gateway',
      'gives a token of one minute for that app, while the session lives', 'Gateway to service'),
    step(webStep.serviceAnswered, 'service', 'gateway',
      'answers the request that had this token and no cookie of ours', 'Gateway to service'),
    step(webStep.refreshAsked, 'browser', 'gateway', 'asks for a new pair, which verify-hub rotates', 'User (Web)'),
    step(webStep.logoutAsked, 'browser', 'gateway', 'asks for the end of the session', 'Revocation'),
  ],
}
