import { safeParse } from 'valibot'
import { actor } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { certificateFrom, createCertificates } from './certificate.ts'
import { keepConnected } from './connection.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { openDocuments } from './documents.ts'
import { httpHere } from './http.ts'
import { Uplink, uplinkEnv, uplinkSecrets, UplinkStart } from './protocol.ts'
import { openTrust } from './trust.ts'

/**
 * The way of a host without control plane to its zone (DESIGN §10): one tunnel to one of the hosts that have it. It
 * carries the links of all actors of this host, and reads nothing of them; key and certificate of the host are in its
 * memory and nowhere else.
 */
export default actor(Uplink, {
  needs: { nodeDaemon: NodeDaemon }, servesWithout: ['nodeDaemon'],
}, async (start) => {
  const { keys, clock, store, env, secrets, self, background } = start
  const given = startOf(env[uplinkEnv])
  const pem = secrets[uplinkSecrets.device]
  if (!given || pem === undefined) throw new StartFailed('The uplink was not told of its zone, or has no device key')
  const device = keys.importPem(pem)
  const trust = await openTrust({ keys, clock, store, zone: self.zone, start: given })
  const documents = await openDocuments({ keys, store, zone: self.zone, zoneDocument: given.zoneDocument })
  const { [uplinkSecrets.certificate]: certificate, [uplinkSecrets.certificateKey]: key } = secrets
  const connection = keepConnected({
    start, trust, servers: given.servers, hosts: documents,
    http: httpHere({
      start, ownPorts: given.ownPorts ?? [],
      serving: async (service) => (await start.needs.nodeDaemon.services({}))
        .some(({ name, state }) => name === service && state === 'serving'),
    }),
    certificates: createCertificates({
      start, device, trust, role: 'node',
      async onAnswer(answer) {
        const fault = await documents.take(answer)
        if (fault !== undefined) start.log.warn(`The documents of the control plane are not taken: ${fault}`)
      },
    }),
    first: certificate !== undefined && key !== undefined ? certificateFrom(start, certificate, key) : undefined,
  })
  start.carry(connection.carrier)
  background(() => connection.run())
  return {
    handlers: { state: () => connection.state(), documents: () => documents.known ?? null },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: async () => connection.close(),
    },
  }
})

function startOf(text: string | undefined): UplinkStart | undefined {
  try {
    const parsed = safeParse(UplinkStart, JSON.parse(text ?? ''))
    return parsed.success ? parsed.output : undefined
  } catch {
    return undefined
  }
}
