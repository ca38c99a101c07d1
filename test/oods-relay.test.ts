/**
 * Two OODs over one etcd, one of them a process of its own, and a node at each: calls across both, and what is left
 * when that one is gone for ever.
 */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { catalogue, hostCatalogue } from '../boot/catalogue.ts'
import type { RunningHost } from '../boot/host/run.ts'
import { limits } from '../runtime/limits.ts'
import { worker } from '../runtime/spec.ts'
import type { LogEvent } from '../runtime/trace.ts'
import { Asker, Echo } from './boot-fixtures/across/protocol.ts'
import { removeFolders, start, type Started, zonewright } from './boot-fixtures/command-line.ts'
import { eventually, joinHost, writeKey, type JoinedHost } from './boot-fixtures/joined-hosts.ts'
import { freePort } from './boot-fixtures/joining.ts'
import { oodZone, type OodZone } from './boot-fixtures/joining-oods.ts'

/** Silence is noticed, and the next server is tried at its interval. */
const BACK_MS = limits.tunnelSilenceMs + limits.uplinkRetryMsMax + 10_000
const asker = worker(Asker, new URL('./boot-fixtures/across/asker.ts', import.meta.url), { manual: true })
const echo = worker(Echo, new URL('./boot-fixtures/across/echo.ts', import.meta.url), { manual: true })
/** Of the process of the other OOD. */
const RUN_MS = 150_000
let zone: OodZone
let second: Started
let port: number
let isGone = false
let nodes: Record<'node1' | 'node2', JoinedHost>
const running: Partial<Record<'node1' | 'node2', RunningHost>> = {}
const zoneLogs: LogEvent[] = []

const runNode = async (name: 'node1' | 'node2', more = {}): Promise<void> => {
  const own = name === 'node1' ? asker : echo
  running[name] = await nodes[name].run({ actors: (...of) => [...hostCatalogue(...of), own], ...more })
}
const uplink = (name: 'node1' | 'node2') => running[name]!.uplink()
/** Answers that the asker of that host has had so far. */
const answered = (host: 'ood1' | 'node1'): readonly LogEvent[] => (host === 'ood1' ? zoneLogs : nodes.node1.logs)
  .filter((event) => event.host === host && event.actor === 'asker' && event.message === 'answered')
const goesOn = async (what: string, host: 'ood1' | 'node1'): Promise<number> => {
  const before = answered(host).length
  return eventually(`${what}: ${host} is answered`, () => answered(host).length > before + 2, BACK_MS)
}

test.before(async () => {
  zone = await oodZone('labels: { asks: yes }\n', { actors: (...of) => [...catalogue(...of), asker] })
  const { joining } = zone
  joining.zone.trace.on('log', (event) => void zoneLogs.push(event))
  const made = await zone.token('ood2')
  const folder = await zone.folder('ood2')
  const told: string[] = []
  const coming = zone.join(made, folder, { onWaiting: (device) => void told.push(device) })
  await eventually('it waits', () => told.length > 0)
  await zone.accept('ood2', folder.device.public.jwk)
  port = await freePort()
  await folder.keep(await coming, `127.0.0.1:${port}`)
  await folder.close()
  second = start([...zonewright, 'start', '--dir', folder.dir, '--json'], { cwd: folder.dir, input: 'open', msMax: RUN_MS })
  void second.ended.then(() => { isGone = true })
  await Promise.race([second.printed(/\n/), second.ended.then(({ stderr }) => assert.unreachable(stderr))])
  nodes = {
    node1: await joinHost(joining, 'node1', 'labels: { asks: yes }\n'),
    node2: await joinHost(joining, 'node2', 'labels: { echoes: yes }\n', port),
  }
  for (const [name, labels, replicas] of [['asker', { asks: 'yes' }, 2], ['echo', { echoes: 'yes' }, 1]] as const) {
    await writeKey(joining, kv.spec(name), {
      name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas, labels,
    })
  }
  await Promise.all([runNode('node1'), runNode('node2')])
})
test.after(async () => {
  await Promise.all(Object.values(running).map((host) => host.stop()))
  if (!isGone) second?.signal('SIGKILL')
  await (zone as OodZone | undefined)?.end()
  removeFolders()
})

test('a node at one OOD, and that OOD itself, call a service on a node at the other', async () => {
  await eventually('both are connected', async () =>
    (await uplink('node1')).ood === 'ood1' && (await uplink('node2')).ood === 'ood2', BACK_MS)
  await goesOn('across', 'node1')
  await goesOn('across', 'ood1')
  for (const host of ['ood1', 'node1'] as const) {
    const { fields } = answered(host).at(-1)!
    assert.equal([fields['host'], fields['asked']], ['node2', `asker@${host}`])
  }
})

test('its OOD is killed: the node goes to the other one, which it was told of, and the calls go on', async () => {
  second.signal('SIGKILL')
  await second.ended
  await eventually('it is at the other', async () => (await uplink('node2')).ood === 'ood1', BACK_MS)
  await goesOn('after', 'node1')
  await goesOn('after', 'ood1')
  const { servers } = JSON.parse(readFileSync(`${nodes.node2.folder}/host.json`, 'utf8')) as { servers: string[] }
  assert.equal(servers, [`127.0.0.1:${port}`], 'it has joined by the one that is gone')
})

test('a node that is started again while the OOD that it joined by is gone comes back', async () => {
  await running.node2!.stop()
  await runNode('node2', { certificate: undefined })
  await eventually('it is connected', async () =>
    (await uplink('node2').catch(() => undefined))?.ood === 'ood1', BACK_MS)
  await goesOn('again', 'node1')
  await goesOn('again', 'ood1')
})

test.run()
