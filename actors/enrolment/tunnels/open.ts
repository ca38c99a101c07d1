import type { ActorStart } from '../../../runtime/actor.ts'
import type { Carried, Carrier } from '../../../runtime/carrier.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { splice } from '../../../runtime/splice.ts'
import { array, object, string } from '../../../runtime/protocol.ts'
import type { Enforcer } from '../../enforcement/enforcer.ts'
import type { NodeDaemon } from '../../node-daemon/protocol.ts'
import { kv, readRecord } from '../../records.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { Vault } from '../../vault/protocol.ts'
import type { Registrations } from '../registrations.ts'
import type { ServerCertificate } from '../server-certificate.ts'
import type { ZoneTrust } from '../trust.ts'
import { createAdmission } from './admission.ts'
import { followDevices } from './follow-devices.ts'
import { createHttpStreams } from './http-streams.ts'
import { createPeers, lookAndTell } from './peers.ts'
import { createSight } from './sight.ts'
import { createTelling } from './telling.ts'
import { createTunnels, type Tunnels } from './tunnels.ts'

export interface OpenTunnelsOptions {
  readonly start: ActorStart
  readonly systemConfig: Client<typeof SystemConfig>
  readonly vault: Client<typeof Vault>
  readonly token: () => string
  readonly trust: ZoneTrust
  readonly enforcer: Enforcer
  readonly certificate: () => ServerCertificate
  readonly nodeDaemon: Pick<Client<typeof NodeDaemon>, 'services'>
  /** Where this zone itself listens on this host. */
  readonly ownPorts: () => readonly number[]
  readonly hosts: Registrations['hosts']
  /** A registration has changed. */
  readonly onDevice: () => void
}

const Placed = object({ name: string(), hosts: array(string()) })
/** All that the control plane's end of tunnels is made of, and what it follows for as long as the actor runs. */
export function openTunnels(options: OpenTunnelsOptions): Tunnels {
  const { start, systemConfig, vault, token, trust, enforcer, certificate, nodeDaemon, ownPorts, hosts } = options
  const { clock, stopping, log, background } = start
  const serving = async (service: string): Promise<boolean> =>
    (await nodeDaemon.services({})).some(({ name, state }) => name === service && state === 'serving')
  const admission = createAdmission({ start, trust, systemConfig, token, enforcer, serving })
  const tunnels: Tunnels = createTunnels({
    start, trust, admission, certificate,
    telling: createTelling(start, vault, async () => (await hosts()).document),
    sight: createSight(start, async () => systemConfig.get({ key: kv.bootConfig }, { token: token() })),
    async news() {
      const settings = { token: token() }
      const [boot, { digest }] = await Promise.all([
        systemConfig.get({ key: kv.bootConfig }, settings),
        systemConfig.dumpDigest({ prefixes: ['devices/'], leaves: ['doc'] }, settings),
      ])
      return `${trust.version} ${boot?.revision} ${digest}`
    },
    http: createHttpStreams({
      start, admission, systemConfig, token, ownPorts, serving,
      reach: (...wanted) => tunnels.ways.reach(...wanted),
    }),
    async placed(service) {
      const item = await systemConfig.get({ key: kv.info(service) }, { token: token() })
      return item ? readRecord(Placed, kv.info(service), item.value).hosts : []
    },
  })
  const carrier: Carrier = {
    async open({ protocol, host, caller }, channel): Promise<Carried> {
      const { channel: stream, granted } = await tunnels.ways.find({
        type: 'link', protocol, caller: { ...caller }, ...(host === undefined ? {} : { host }),
      })
      return { ...granted, gone: splice(channel, stream).then(() => {}) }
    },
  }
  start.carry(carrier)
  background(() => tunnels.run())
  background(() => followDevices({
    clock, stopping, log, systemConfig, token,
    async onDevice(host) {
      if (host !== undefined) options.onDevice()
      await tunnels.recheck(host)
    },
  }))
  const peers = createPeers({
    self: start.self, clock, random: start.random, stopping, log, dial: tunnels.dial,
    servers: async () => (await hosts()).servers,
  })
  background(() => lookAndTell({
    clock, stopping, look: peers.look, tell: async () => { if (tunnels.hosts().length > 0) await tunnels.tell() },
  }))
  return tunnels
}
