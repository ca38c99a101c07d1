import { bootStep } from '../actors/boot-steps.ts'

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

const seed = (section: string): string => `buckyos-logins: ${section}`
const ANY_SERVICE = 'service'

/** Boot as the note on logins documents it: the BOOT phase, then the login of each role. */
export const bootSequence: Sequence = {
  name: 'boot',
  title: 'A zone boots',
  steps: [
    { number: bootStep.trustKeyReceived, from: 'ood', to: 'system-config', source: seed('BOOT 1'),
      what: 'starts it; its ENV holds the first trust key' },
    { number: bootStep.bootTokenReceived, from: 'ood', to: 'boot-scheduler', source: seed('BOOT 2'), firstBootOnly: true,
      what: 'starts the boot schedule; its ENV holds a token signed by the device key' },
    { number: bootStep.vaultKeyEnsured, from: 'boot-scheduler', to: 'vault', source: seed('verify-hub'), firstBootOnly: true,
      what: 'asks for the key pair of verify-hub' },
    { number: bootStep.firstWrite, from: 'boot-scheduler', to: 'system-config', source: seed('BOOT 2'), firstBootOnly: true,
      what: 'makes the first write, authenticated by that token' },
    { number: bootStep.normalPhase, from: 'system-config', to: 'system-config', source: seed('System Config, trust keys'),
      what: 'leaves boot phase: trusts its device, the owner and verify-hub' },
    { number: bootStep.deviceSession, from: 'node-daemon', to: 'system-config', source: seed('OOD'),
      what: 'reads its node config by a self-issued session' },
    { number: bootStep.vaultKeyRead, from: 'verify-hub', to: 'vault', source: seed('verify-hub'),
      what: 'reads its private key, once' },
    { number: bootStep.verifyHubSession, from: 'verify-hub', to: 'system-config', source: seed('verify-hub'),
      what: 'reads config by a self-issued session' },
    { number: bootStep.verifyHubKeyLoaded, from: 'vault', to: 'verify-hub', source: seed('verify-hub'),
      what: 'holds the key that boot/config names' },
    { number: bootStep.loginTokenReceived, from: 'node-daemon', to: ANY_SERVICE, source: seed('OOD, Service 1'), each: true,
      what: 'starts it; its ENV holds a login token' },
    { number: bootStep.loginReceived, from: ANY_SERVICE, to: 'verify-hub', source: seed('Service 2'), each: true,
      what: 'logs in by that token' },
    { number: bootStep.pairReceived, from: 'verify-hub', to: ANY_SERVICE, source: seed('Service 3'), each: true,
      what: 'gives session and refresh token' },
    { number: bootStep.serviceSession, from: ANY_SERVICE, to: 'system-config', source: seed('Service'), each: true,
      what: 'reads config by that session' },
    { number: bootStep.refreshReceived, from: ANY_SERVICE, to: 'verify-hub', source: seed('Service 4'), each: true,
      what: 'rotates its refresh token' },
    { number: bootStep.gatewayServing, from: 'node-daemon', to: 'gateway', source: seed('Gateway'),
      what: 'serves HTTP' },
  ],
}
