import { certificateFrom, createCertificates } from '../../actors/uplink/certificate.ts'
import { keepConnected } from '../../actors/uplink/connection.ts'
import { openDocuments } from '../../actors/uplink/documents.ts'
import type { UplinkState } from '../../actors/uplink/protocol.ts'
import { openTrust } from '../../actors/uplink/trust.ts'
import { JoinRefused } from '../../actors/vault/protocol.ts'
import type { Log } from '../../runtime/actor.ts'
import { Cancelled, NotFound, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import { folderOf } from '../../runtime/store/location.ts'
import { deferred } from '../../runtime/within.ts'
import type { StreamChannel } from '../../transport/tunnel/protocol.ts'
import { DeviceKeyMismatch, JoinNotAllowed, JoinTokenRevoked, NotJoined } from '../errors.ts'
import { openHost, type HostIdentity } from '../host/folder.ts'
import { file } from '../init.ts'
import { byteStream, type ByteStream } from './byte-stream.ts'

export type DeviceState = UplinkState

export interface ClientDeviceOptions {
  readonly platform: Platform
  /** As `join` has made it, of a token with the role `client-device`. Nobody else may use it meanwhile. */
  readonly folder: string
  /** Of who has just joined; without it the device key asks for the next. */
  readonly certificate?: TlsPair
  /** Each change of the way to the zone; with why the last attempt failed. */
  readonly onChange?: (state: DeviceState, error?: Error) => void
  readonly log?: Log
}

/**
 * A device that runs nothing of the zone. It keeps one tunnel to the control plane, for as long as it is open: after
 * each failure it tries again, at growing intervals, and with the next server of those that it knows.
 *
 *     const device = await openClientDevice({ platform: await openPlatform(), folder: './.host' })
 *     const stream = await device.open('notes')
 *     await stream.write(new TextEncoder().encode('GET / HTTP/1.1\r\nhost: notes\r\nconnection: close\r\n\r\n'))
 *     for await (const bytes of stream) console.log(new TextDecoder().decode(bytes))
 *     await device.close()
 */
export interface ClientDevice {
  readonly zone: string
  readonly name: string
  state(): DeviceState
  /**
   * Settles with the first tunnel. While nothing answers, it goes on trying.
   * @throws what the zone refuses it by: Denied, JoinTokenRevoked, JoinNotAllowed, TlsNotTrusted; Cancelled
   */
  connected(signal?: AbortSignal): Promise<void>
  /**
   * Bytes to and from the HTTP port of a service, where it runs. Waits `limits.deviceWaitMs` for a tunnel.
   * @throws Denied, NotFound, Unavailable, Overloaded, DeadlineExceeded, Cancelled
   */
  open(service: string, signal?: AbortSignal): Promise<ByteStream>
  /** The same as a channel, whose frames of text are the ends of the directions (`transport/tcp.ts`). */
  openChannel(service: string, signal?: AbortSignal): Promise<StreamChannel>
  /** Settles when it is closed: with why the zone has it no more, or with nothing. */
  readonly ended: Promise<Error | undefined>
  /** Closes the tunnel with all its streams. */
  close(): Promise<void>
}

/** @throws NotJoined, FolderDamaged, FolderInUse, DeviceKeyMissing, DeviceKeyMismatch */
export async function openClientDevice(options: ClientDeviceOptions): Promise<ClientDevice> {
  const { platform, folder } = options
  const files = await platform.host.openFolder(folder)
  const unlock = await files.lock(file.lock)
  try {
    const identity = await openHost(platform, files)
    demandDevice(identity)
    await files.makeFolder(file.stores, { mode: 0o700 })
    const store = await platform.stores(folderOf(files.path(file.stores))).open('uplink')
    const release = async (): Promise<void> => {
      await store.close()
      await unlock()
    }
    try {
      return await open(options, identity, store, release)
    } catch (error) {
      await store.close()
      throw error
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

function demandDevice({ file: { host, role } }: HostIdentity): void {
  if (role === 'client-device') return
  throw new NotJoined(`It is a host, and no client device: ${host}`, { next: 'Run it by `node`' })
}

const SILENT: Log = { info() {}, warn() {}, error() {} }

async function open(
  { platform: { clock, keys, random, transport }, certificate, onChange, log = SILENT }: ClientDeviceOptions,
  { file: { zone, host, servers, roots, anchors, rootsVersion, zoneDocument }, device }: HostIdentity,
  store: Parameters<typeof openTrust>[0]['store'], release: () => Promise<void>,
): Promise<ClientDevice> {
  const ending = new AbortController()
  const first = deferred<void>()
  const ended = deferred<Error | undefined>()
  const start = {
    clock, keys, random, transport, log, stopping: ending.signal, count() {},
    self: { zone, host, actor: 'device', runtimeType: 'client-device', incarnation: 0, linkKid: '' },
    accept: async () => { throw new NotFound('A client device serves nothing') },
  }
  const known = { servers: [...servers], roots, anchors, rootsVersion }
  const trust = await openTrust({ keys, clock, store, zone, start: known })
  const hosts = await openDocuments({ keys, store, zone, zoneDocument })
  const connection = keepConnected({
    start, trust, servers, hosts, certificates: createCertificates({ start, device, trust, role: 'client-device' }),
    first: certificate && certificateFrom(start, certificate.certificate, certificate.key),
    isFinal,
    onChange(state, error) {
      if (state.state === 'connected') first.resolve()
      if (state.state === 'refused' && error) first.reject(told(error))
      onChange?.(state, error && told(error))
    },
  })
  const running = connection.run().then(() => undefined, (error: Error) => told(error))
  void running.then(ended.resolve)
  const openChannel: ClientDevice['openChannel'] = async (service, signal) => {
    const why = await Promise.race([
      connection.open({ type: 'http', service }, limits.deviceWaitMs, signal), ended.promise, aborted(signal),
    ])
    if (why && 'channel' in why) return why.channel
    throw why ?? new Unavailable('The device is closed')
  }
  return {
    zone, name: host, state: connection.state, ended: ended.promise, openChannel,
    open: async (service, signal) => byteStream(await openChannel(service, signal)),
    async connected(signal) {
      const over = ended.promise.then((error) => { throw error ?? new Unavailable('The device is closed') })
      await Promise.race([first.promise, over, aborted(signal)])
    },
    async close() {
      if (ending.signal.aborted) return
      ending.abort()
      connection.close()
      await running
      await release()
    },
  }
}

const aborted = (signal: AbortSignal | undefined): Promise<never> => new Promise((_, reject) => {
  const cancel = (): void => reject(new Cancelled('It was cancelled'))
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
})

/** What asking again does not change; another refusal may be of this moment, or of this server. */
const FINAL: readonly unknown[] = ['revoked', 'ended', 'device', 'role']

export const isFinal = (error: unknown): boolean =>
  error instanceof JoinRefused && FINAL.includes((error as ZonewrightError).details['reason'])

/** With what to do about it. */
function told(error: Error): Error {
  if (!(error instanceof ZonewrightError) || !(error instanceof JoinRefused)) return error
  const { details: { reason } } = error
  if (reason === 'revoked' || reason === 'ended') {
    return new JoinTokenRevoked(error.message, {
      reason, next: 'Ask for a join token with --role client-device, and join anew: the zone has this device no more',
    })
  }
  if (reason === 'device') {
    return new DeviceKeyMismatch(error.message, {
      reason, next: 'Another device has this name by now: join by another',
    })
  }
  return new JoinNotAllowed(error.message, { reason })
}
