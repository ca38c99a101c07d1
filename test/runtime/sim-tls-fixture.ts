/** Two simulated hosts, of which one serves TLS, and certificates for them. */
import { TlsNotTrusted, type ZonewrightError } from '../../runtime/errors.ts'
import type { HttpServer, HttpServerOptions } from '../../runtime/platform/ports.ts'
import type { TlsCall, TlsConnection, TlsPair } from '../../runtime/platform/tls-ports.ts'
import { EPOCH_MS } from '../../runtime/sim/host-clock.ts'
import type { SimulatedProcess, SimulateOptions, World } from '../../runtime/sim/simulate.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { pause, simulateWith, thrownBy } from './sim-fixture.ts'
import { authority, day, leaf, type Holder, type HolderOptions } from './x509-fixture.ts'

export const began = EPOCH_MS
const type = 'ed25519' as const
export const life = { type, notBefore: began - day, notAfter: began + 30 * day }
export const pem = ({ certificate }: Holder): string => encodePem('CERTIFICATE', certificate.raw)
export const root = await authority('root', undefined, life)
export const foreign = await authority('foreign', undefined, life)
const middle = await authority('middle', root, life)
export const certified = async (by: Holder, name: string, options: HolderOptions = {}): Promise<TlsPair> => {
  const made = await leaf(name, by, {
    ...life, extensions: { names: [{ type: 'dns', value: name }, { type: 'dns', value: '*.wild.test' }] }, ...options,
  })
  return { certificate: pem(made) + (by === middle ? pem(middle) : ''), key: made.key.exportPem() }
}
export const server = await certified(middle, 'ood1')
export const client = await certified(root, 'node1')
export const PORT = 443
export const trusting: TlsCall = { roots: [pem(root)], alpn: 'bytes/1' }

export interface Seen { readonly bytes: number[]; readonly closed: string[] }
export const listen = (connection: TlsConnection): Seen => {
  const seen: Seen = { bytes: [], closed: [] }
  connection.receive((bytes) => void seen.bytes.push(...bytes), (reason) => void seen.closed.push(reason))
  return seen
}

export interface Stage {
  readonly world: World
  readonly ood: SimulatedProcess
  readonly node: SimulatedProcess
  readonly served: HttpServer
  /** As they were accepted. */
  readonly accepted: TlsConnection[]
  /** From the node; the other end is the last that was accepted, once something has come. */
  open(call?: Partial<TlsCall>, withinMs?: number): Promise<TlsConnection>
  pause(ms: number): Promise<void>
}

export const staged = (
  run: (stage: Stage) => Promise<void>, options: Partial<HttpServerOptions> = {}, more: Partial<SimulateOptions> = {},
) => simulateWith(async (world) => {
  const [ood, node] = [world.startProcess('ood1'), world.startProcess('node1')]
  const accepted: TlsConnection[] = []
  const served = await ood.platform.transport.serveHttp({
    hostname: '0.0.0.0', port: PORT, bodyBytesMax: 1_000, requestMsMax: 5_000,
    tls: { ...server, clientRoots: [pem(root)], alpn: ['a/1', 'http/1.1'] },
    streams: { alpn: ['bytes/1'], accept: (connection) => void accepted.push(connection) }, ...options,
  }, async ({ tls, remoteAddress }) =>
    ({ status: 200, headers: {}, body: `${tls?.alpn} ${tls?.certificate?.length ?? 0} ${remoteAddress}` }))
  await run({
    world, ood, node, served, accepted,
    open: (call = {}, withinMs = 5_000) => node.platform.transport.connectTls(
      { hostname: 'ood1', port: PORT, withinMs }, { ...trusting, ...call },
    ),
    pause: (ms) => pause(world, ms),
  })
}, { maxEvents: 100_000, keys: 'real', ...more })

export const expect = (is: boolean, what: string): void => {
  if (!is) throw new Error(what)
}
export const same = (left: unknown, right: unknown): void =>
  expect(JSON.stringify(left) === JSON.stringify(right), `${JSON.stringify(left)} is not ${JSON.stringify(right)}`)
export const faultOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await thrownBy(work)
  if (error === undefined) return 'none'
  return error instanceof TlsNotTrusted ? String((error as ZonewrightError).details.reason) : error.name
}
