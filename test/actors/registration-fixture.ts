import { openRegistrations, type Registrations } from '../../actors/enrolment/registrations.ts'
import { forEnrolment } from '../../actors/node-daemon/enrolment.ts'
import { deviceDocumentType, enrolmentCertificateType, kv, type DeviceDocument } from '../../actors/records.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Client } from '../../runtime/protocol.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { asked, device, joinable, makeToken, type Vaulted } from './join-fixture.ts'
import { crypto, peer, testZone, type Running, type TestZone } from './system-config-zone.ts'

export const ZONE = 'z1'
export const enrolmentPeer = peer('enrolment', { runtimeType: 'kernel-service' })

/** Documents of a zone with one OOD, and what would be taken for one by a reader that does not look. */
export function documents(zone: Pick<TestZone, 'owner' | 'device' | 'env'>, enrolment: SigningKey) {
  const key = crypto.generate(systemRandom).public.jwk
  const certificate = (by = zone.device, changes: object = {}): string => signDocument(by, enrolmentCertificateType, {
    zone: ZONE, host: 'ood1', key: enrolment.public.jwk, iat: 1, ...changes,
  })
  const device = (by: SigningKey, changes: Partial<DeviceDocument>): string => signDocument(by, deviceDocumentType, {
    zone: ZONE, name: 'node1', role: 'node', key, owner: 'alice', iat: 1, ...changes,
  })
  const ood = zone.env['BUCKYOS_THIS_DEVICE']!
  const standing = { ood, certificate: certificate() }
  return {
    ood, standing, certificate, device,
    /** As the vault signs it. */
    enrolled: (changes: Partial<DeviceDocument> = {}, by = enrolment): string =>
      device(by, { enrolment: standing, ...changes }),
  }
}

type Config = Client<typeof SystemConfig>

export interface Registering {
  readonly zone: TestZone
  readonly running: Running
  readonly vault: Vaulted
  readonly said: string[]
  /** Root, with a token for each call. */
  root(): Config
  /** As enrolment reaches system-config. */
  readonly config: Config
  /** Enrolment starts. */
  open(around?: (config: Config) => Config): Promise<Registrations>
  /** What the vault does of a join; nothing is published. */
  joined(registrations: Registrations, host: string, by?: SigningKey): Promise<string>
  document(host: string): Promise<string | undefined>
}

/** Registrations over a system-config and a vault, without what is between them. */
export async function registering(): Promise<Registering> {
  const zone = testZone()
  const running = await zone.booted({ [kv.device('ood1')]: zone.env['BUCKYOS_THIS_DEVICE']! })
  const vault = await joinable(ZONE)
  const session = zone.tokens.session('enrolment')
  const config = running.as(session, enrolmentPeer)
  const root = (): Config => running.as(zone.tokens.root())
  const said: string[] = []
  const say = (message: string): void => void said.push(message)
  const log = { info: say, warn: say, error: say }
  const daemon = forEnrolment({
    self: { ...enrolmentPeer, actor: 'node-daemon', linkKid: 'own' }, env: zone.env,
    denials: createDenialLog({ random: systemRandom, clock: zone.clock }),
    needs: { supervision: { joinHook: async () => ({ allowed: true, said: '' }) } },
  }, { key: zone.device, host: 'ood1', epoch: 0, clock: zone.clock, random: systemRandom })
  return {
    zone, running, vault, said, root, config,
    open: async (around = (one) => one) => openRegistrations({
      keys: crypto, self: { ...enrolmentPeer, linkKid: 'own' }, log, systemConfig: around(config), token: () => session,
      nodeDaemon: {
        certifyEnrolment: async (given) => daemon.certifyEnrolment(given, { peer: enrolmentPeer } as never),
      },
      vault: {
        async ensureKey() {
          const { kid, jwk: publicKey } = (await vault.signer()).public
          return { kid, publicKey, created: false }
        },
        joinedHost: ({ host }) => vault.hosts.read(host),
        async joinedHosts({ after }) {
          const { hosts, more } = await vault.hosts.page(after, 2)
          return { hosts: [...hosts], more }
        },
        registerHost: ({ host, registrar }) => vault.hosts.register(host, registrar),
      },
    }),
    async joined({ registrar }, host, by = device()) {
      const token = await makeToken(vault, host)
      const { document } = await vault.enrolling.enrol({ ...await asked(token, host, by, { zone: ZONE }), registrar })
      return document!
    },
    document: async (host) => (await root().get({ key: kv.device(host) }))?.value,
  }
}
