/** One host of the control plane, the tunnel of another one, and those of whom else a test wants. */
import { Unavailable } from '../runtime/errors.ts'
import type { Channel } from '../transport/channel.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import type { AcceptedStream, OpenedStream, StreamRequest, TunnelEnd } from '../transport/tunnel/protocol.ts'
import { another, link, withTunnels as withWorld, type World } from './tunnels-fixture.ts'

export interface Shared extends World {
  /** Of the streams that `host` has granted, by protocol or service: what answers there. */
  readonly far: Map<string, Channel>
  /** No time passes. */
  settle(): Promise<void>
  /** A host with a tunnel of its own here, which grants as that host, or as one behind it. */
  host(name: string, grants?: string): Promise<TunnelEnd>
  /** A stream of that host. */
  open(end: TunnelEnd, from: string, name: string, more?: Partial<StreamRequest>): Promise<OpenedStream>
  /** As for that client device. */
  reach(device: string, name: string, host?: string, signal?: AbortSignal): Promise<OpenedStream>
}

/** Here is ood1, and ood2 leads to node9. By its name a program reads nothing, is never there, or gives no answer. */
export const withShared = (task: (world: Shared) => Promise<void>) => withWorld(async (world) => {
  world.accept = async () => { throw new Unavailable('it does not serve') }
  const far = new Map<string, Channel>()
  const grant = (grants: string) => async (request: StreamRequest): Promise<AcceptedStream> => {
    const name = request.type === 'link' ? request.protocol : request.service
    if (name.startsWith('gone')) throw new Unavailable('it is not there')
    if (name.startsWith('mute')) return new Promise(() => {})
    const [inner, outer] = memoryChannelPair(world.clock)
    far.set(name, outer)
    const deaf = { ...inner, unsent: 0, full: true, onDrained() {} }
    return {
      granted: { host: request.host?.startsWith('node') ? request.host : grants, incarnation: 1 }, release() {},
      channel: name.startsWith('deaf') ? deaf : inner,
    }
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) await world.clock.advance(0)
  }
  const soon = async <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => {})
    await settle()
    return work
  }
  const shared: Shared = Object.assign(world, {
    far, settle,
    async host(name: string, grants = name) {
      const end = await world.dial({ host: name, certificate: await another(name), onOpen: grant(grants) })
      await settle()
      return end
    },
    open: (end: TunnelEnd, from: string, name: string, more: Partial<StreamRequest> = {}) =>
      soon(end.open({ ...link(name, from), host: 'node9', ...more } as StreamRequest)),
    reach: (device: string, name: string, host = 'node9', signal?: AbortSignal) => soon(world.tunnels.ways.reach(
      { type: 'http', service: name, port: 1 }, [host], { name: device, role: 'client-device' }, signal,
    )),
  })
  await shared.host('ood2', 'node9')
  await task(shared)
})

export interface Heard {
  bytes: number
  closed: string | undefined
}
export function listen(channel: Channel): Heard {
  const heard: Heard = { bytes: 0, closed: undefined }
  channel.receive((frame) => { heard.bytes += frame.length }, (reason) => { heard.closed = reason })
  return heard
}
