import { actor, type CallContext } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { object } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { openEnforcer, type Enforcer } from '../enforcement/enforcer.ts'
import { follow } from '../follow.ts'
import { leading } from '../leading.ts'
import { answering, method, streaming, type KrpcTable } from '../krpc.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { DeviceInfo, kv, readRecord, RecordInvalid } from '../records.ts'
import { readDeviceBy } from '../read-device.ts'
import { openSession } from '../session.ts'
import { BootConfig, SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { Changes } from './changes.ts'
import { createHostRecords } from './host-records.ts'
import { Liveness, type NodeState } from './liveness.ts'
import { NodeMonitor } from './protocol.ts'

const APPID = 'node-monitor'
const NODES = 'monitor://nodes'
const needs = { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon } as const
type Cx = CallContext<typeof needs>

/** Watches the hosts of the zone by what each writes of itself, and tells who is up. */
export default actor(NodeMonitor, { needs, stateless: true }, async (start) => {
  const { clock, random, keys, env, log, stopping, background, step, self, gauge } = start
  const { systemConfig, verifyHub } = start.needs
  const session = await openSession({
    clock, random, env, needs: start.needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  const boot = await systemConfig.get({ key: kv.bootConfig }, { token: session.token() })
  const readDevice = readDeviceBy(keys, readRecord(BootConfig, kv.bootConfig, boot?.value ?? ''))

  const moment = () => ({ monotonic: clock.monotonic(), now: Math.floor(clock.now()) })
  /** Every host's monitor watches, so that the next one that leads knows at once; one of them warns and writes. */
  const led = leading({
    start, systemConfig, session, name: APPID,
    body: ({ signal }) => new Promise((resolve) => {
      records.led()
      signal.addEventListener('abort', () => resolve(), { once: true })
    }),
  })
  const readers = new Set<Changes<NodeState>>()
  const records = createHostRecords({ start, systemConfig, session, term: () => led.term })
  const liveness = new Liveness((node) => {
    records.tell(node)
    gauge(`node_up{node="${node.name}"}`, node.state === 'unknown' ? undefined : node.state === 'up' ? 1 : 0)
    if (led.term && node.state === 'down') log.warn('A host is down', { node: node.name, lastSeen: node.lastSeen ?? 0 })
    if (led.term && node.state === 'up') log.info('A host is up', { node: node.name })
    for (const reader of readers) reader.tell(node)
  })
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())

  /** Of the zone, by their documents. Each is judged when it changes, and not whenever another one does. */
  const hosts = new Map<string, NodeState['role']>()
  const registered = (name: string, text: string | undefined): void => {
    const document = text === undefined ? undefined : readDevice(text)
    // A client device is no host: it is away as it likes
    if (document?.name === name && document.role !== 'client-device') hosts.set(name, document.role)
    else if (hosts.delete(name)) gauge(`node_up{node="${name}"}`, undefined)
  }
  const hostsNow = (): void => {
    const left = liveness.hosts(hosts, moment())
    records.keep(new Set(hosts.keys()))
    if (left > 0) log.warn('There are more hosts than are watched', { watched: liveness.size, left })
  }
  const infoOf = (key: string, value: string): DeviceInfo | undefined => {
    try {
      const info = readRecord(DeviceInfo, key, value)
      return kv.deviceInfo(info.name) === key ? info : undefined
    } catch (error) {
      if (error instanceof RecordInvalid) return undefined
      throw error
    }
  }
  const see = (key: string, value: string, isNews: boolean): void => {
    const [, name = '', leaf] = key.split('/')
    if (leaf === 'doc') registered(name, value)
    const info = leaf === 'info' ? infoOf(key, value) : undefined
    if (info && isNews) liveness.reported(info, moment())
    else if (info) liveness.known(info)
  }
  let begun = false
  background(() => follow({
    start, systemConfig, session, prefix: 'devices/', leaves: ['doc', 'info'],
    onBegin(items) {
      const there = new Set(items.map(({ key }) => key))
      for (const name of [...hosts.keys()]) if (!there.has(kv.device(name))) registered(name, undefined)
      const infos = items.filter(({ key }) => key.endsWith('/info'))
      for (const { key, value } of items) if (key.endsWith('/doc')) see(key, value, false)
      hostsNow()
      liveness.hearing(moment())
      // What came while nothing was heard tells of a host that lives
      for (const { key, value } of infos) see(key, value, begun)
      begun = true
      wake.abort()
    },
    onEvent({ type, key, value }) {
      if (key.split('/').length !== 3) return
      if (type !== 'delete') see(key, value, true)
      else if (key.endsWith('/doc')) registered(key.split('/')[1]!, undefined)
      if (key.endsWith('/doc')) hostsNow()
    },
    onLost: () => liveness.deaf(moment()),
  }))
  background(async () => {
    while (!stopping.aborted) {
      wake = new AbortController()
      const next = liveness.nextLook
      // With no host to wait for it is woken by the first
      await pause(clock, next === undefined ? limits.nodeDownMs : Math.max(1, next - clock.monotonic()), wake.signal)
      liveness.look(moment())
    }
  })

  let opening: Promise<Enforcer> | undefined
  const enforcer = (): Promise<Enforcer> => {
    opening ??= openEnforcer({
      start, systemConfig, session, appid: APPID, verifier: 'kernel-service',
      burn: (token) => verifyHub.burn({ token, audience: APPID }),
    }).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const told = (node: NodeState) => ({ ...node, silentMs: node.lastSeen === null ? null : silentOf(node) })
  const silentOf = ({ lastSeen }: NodeState): number => Math.max(0, Math.floor(clock.now() - (lastSeen ?? 0)))
  const methods: KrpcTable<Cx, unknown> = {
    nodes: method(object({}), async (_, cx: Cx) => {
      (await enforcer()).demand(cx, 'read', NODES)
      return { nodes: liveness.list().map(told) }
    }),
  }
  async function* changes(_: object, cx: Cx): AsyncIterable<NodeState> {
    (await enforcer()).demand(cx, 'read', NODES)
    const reader = new Changes(liveness.list(), cx.signal, (closed) => void readers.delete(closed))
    readers.add(reader)
    yield* reader
  }
  log.info('The node monitor serves')
  return {
    handlers: { krpc: answering(methods), krpcStream: streaming({ changes: method(object({}), changes) }) },
    lifecycle: {
      authenticate: async (token, peer, use) => (await enforcer()).authenticate(token, peer, use),
      stop: led.stop,
      admit: (peer) => peer.host === self.host && ['supervisor', 'gateway'].includes(peer.actor),
    },
  }
})
