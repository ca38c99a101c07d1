/** A cluster on one host: real supervisors, workers, keys and stores of an OOD and three nodes, in one process. */
import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { nodeStep } from '../actors/node-steps.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { nodeSequence } from '../boot/sequences.ts'
import { type Progress, type RunningZone, up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace, type LinkEvent, type StepEvent } from '../runtime/trace.ts'
import { pause } from '../runtime/within.ts'
import {
  clientOver, hostLines, hostOf, keyIn, loginToken, newFolder, ownerOf, refusalOf, until, visit,
} from './boot-fixtures/cluster.ts'

const NAMES = ['node1', 'node2', 'node3']
const BACK_MS_MAX = 1_000

const platform = await openPlatform()
const folder = newFolder()
const trace = createTrace()
const steps: StepEvent[] = []
const links: LinkEvent[] = []
const told: string[] = []
const denials: string[] = []
const progress: Progress[] = []
trace.on('step', (event) => void steps.push(event))
trace.on('link', (event) => void links.push(event))
trace.on('denial', ({ actor, chain }) => void denials.push(`${actor} ${chain.at(-1)?.reason}`))
trace.on('host', ({ host, state }) => void told.push(`${host} ${state}`))
let zone: RunningZone
const nodeKey = (name: string) => keyIn(platform, join(folder, 'nodes', name))
const as = (name: string, actor: string, runtimeType: string) =>
  ({ host: name, actor, runtimeType, device: nodeKey(name) })
const nodeLogins = (name: string): number[] => steps.filter(({ sequence, evidence }) =>
  sequence === nodeSequence.name && [evidence['host'], evidence['sub']].includes(name)).map(({ number }) => number)

test.before(async () => {
  zone = await up({ platform, folder, nodes: 3, trace, onProgress: (one) => void progress.push(one) })
})
test.after(async () => {
  await zone.stop()
  rmSync(folder, { recursive: true })
})

test('an OOD and three nodes boot: each logs in, reads its config and serves', async () => {
  assert.equal(hostLines(zone), ['ood1 serving 1', 'node1 serving 1', 'node2 serving 1', 'node3 serving 1'])
  assert.equal(progress.filter(({ type }) => type === 'node').map((one) => 'serving' in one && one.serving), [1, 2, 3])
  for (const name of NAMES) {
    // Told by two workers: the order of arrival is not that of events
    const once = nodeSequence.steps.map(({ number }) => number).filter((number) => number !== nodeStep.refreshReceived)
    assert.equal([...new Set(nodeLogins(name))].filter((number) => once.includes(number)).sort(), once, name)
    const actors = hostOf(zone, name)!.actors
    assert.equal(actors.map((one) => `${one.name} ${one.state}`), ['node-daemon serving', 'service stopped'])
  }
})

test('each node has a folder, a key and stores of its own, for nobody else to read', () => {
  for (const name of NAMES) {
    const own = join(folder, 'nodes', name)
    assert.is(statSync(own).mode & 0o777, 0o700)
    for (const file of ['device.key', 'identity.json']) assert.is(statSync(join(own, file)).mode & 0o777, 0o600)
    assert.is(statSync(join(own, 'stores')).mode & 0o777, 0o700)
  }
  const kids = [zone.identity.device, ...NAMES.map(nodeKey)].map((key) => key.public.kid)
  assert.is(new Set(kids).size, 4)
})

test('the boot transaction registers the nodes; what ships with Zonewright runs on the first host', async () => {
  const owner = ownerOf(zone, platform, folder)
  assert.equal(await owner.list('devices'), ['node1', 'node2', 'node3', 'ood1'])
  const boot = (await owner.get('boot/config'))!.revision
  for (const name of NAMES) assert.is((await owner.get(`devices/${name}/doc`))!.revision, boot)
  assert.equal(JSON.parse((await owner.get('services/service/info'))!.value).hosts, ['ood1'])
})

test('links between hosts are sealed, those within a host need not be', () => {
  const opened = links.filter(({ state, role }) => state === 'open' && role === 'responder')
  const between = opened.filter(({ host, peerHost }) => host !== peerHost)
  assert.equal([...new Set(between.map(({ suite }) => suite))], ['sealed'])
  assert.equal([...new Set(between.map(({ actor, peer }) => `${peer} to ${actor}`))].sort(), [
    'node-daemon to system-config', 'node-daemon to verify-hub',
  ])
})

test('a node may not claim a kernel name, a runtime type of the OOD, or another host', async () => {
  const refused: readonly (readonly [string, Parameters<typeof visit>[3], RegExp])[] = [
    ['a kernel name', as('node1', 'verify-hub', 'kernel-service'), /may not speak for this actor/],
    ['a kernel name as a service', as('node1', 'scheduler', 'service'), /may not speak for this actor/],
    ['the type of an OOD', as('node1', 'node-daemon', 'ood'), /may not speak for this actor/],
    ['the type of the kernel', as('node1', 'node-daemon', 'kernel-service'), /may not speak for this actor/],
    ['another node', { ...as('node1', 'node-daemon', 'node'), host: 'node2' }, /of another device key/],
    ['the OOD', { ...as('node1', 'node-daemon', 'ood'), host: 'ood1' }, /of another device key/],
    ['who was announced', { ...as('node1', 'node-daemon', 'node'), claims: { host: 'node2' } }, /another device key/],
    ['a host that nobody registered', { ...as('node1', 'node-daemon', 'node'), host: 'node9' }, /unknown device/],
  ]
  for (const callee of ['system-config', 'verify-hub']) {
    for (const [what, visitor, reason] of refused) {
      assert.match((await visit(zone, platform, callee, visitor)).refused, reason, `${what} at ${callee}`)
    }
    assert.is((await visit(zone, platform, callee, as('node1', 'node-daemon', 'node'))).refused, '', callee)
  }
})

test('a link from another host that is not sealed is closed', async () => {
  const { link } = await visit(zone, platform, 'system-config', {
    ...as('node1', 'node-daemon', 'node'), offers: ['mac'],
  })
  assert.is(link?.base, 'mac')
  const client = clientOver(platform, SystemConfig, link!)
  assert.match(await refusalOf(client.trust({}, { withinMs: 5_000 })), /^(Denied|Restarted)/)
  await until(platform, 'the denial is told', () => denials.includes('system-config link/suite'))
})

test('a node daemon logs in for its own host and for nobody else', async () => {
  const cases: readonly (readonly [string, string, Parameters<typeof loginToken>[1], object, string])[] = [
    ['its own', 'node1', nodeKey('node1'), {}, 'allowed'],
    ['with the key of another node', 'node1', nodeKey('node2'), { iss: 'node2', sub: 'node2' }, 'login/presenter'],
    ['for another node', 'node1', nodeKey('node1'), { iss: 'node2', sub: 'node2' }, 'token/unknown-key'],
    ['as another subject', 'node1', nodeKey('node1'), { sub: 'node2' }, 'login/subject'],
    ['as the OOD', 'node1', nodeKey('node1'), { sub: 'ood1' }, 'login/subject'],
    ['as a kernel service', 'node1', nodeKey('node1'), { appid: 'scheduler' }, 'login/presenter'],
    ['for system-config of an OOD', 'node1', zone.identity.device, { iss: 'ood1', sub: 'ood1' }, 'login/presenter'],
  ]
  for (const [what, from, key, claims, expected] of cases) {
    const { link } = await visit(zone, platform, 'verify-hub', as(from, 'node-daemon', 'node'))
    const login = clientOver(platform, VerifyHub, link!).loginByJwt({ jwt: loginToken(platform, key, claims) })
    assert.is((await refusalOf(login)).replace('Denied ', ''), expected, what)
    link!.close(new Error('over') as never)
  }
})

test('an OOD does not log in by a token: it signs its sessions itself', async () => {
  const { link } = await visit(zone, platform, 'verify-hub', {
    host: 'ood1', actor: 'node-daemon', runtimeType: 'ood', device: zone.identity.device,
  })
  const jwt = loginToken(platform, zone.identity.device, { iss: 'ood1', sub: 'ood1', runtime_type: 'ood' })
  assert.is(await refusalOf(clientOver(platform, VerifyHub, link!).loginByJwt({ jwt })), 'Denied login/role')
})

test('a node that is killed is back within a second, with nothing of it left at the OOD', async () => {
  told.length = 0
  const open = (): number => links.filter(({ host, peerHost }) => host === 'ood1' && peerHost === 'node2')
    .reduce((sum, { state }) => sum + (state === 'open' ? 1 : -1), 0)
  const before = open()
  await zone.killHost('node2')
  assert.is(hostOf(zone, 'node2')!.state, 'restarting')
  const tookMs = await until(platform, 'node2 serves', () => hostOf(zone, 'node2')!.state === 'serving')
  assert.ok(tookMs < BACK_MS_MAX, `${tookMs} ms`)
  assert.is(hostOf(zone, 'node2')!.starts, 2)
  assert.equal(told, ['node2 restarting', 'node2 starting', 'node2 serving'])
  await until(platform, 'the links of the dead one are closed', () => open() === before)
  assert.equal(hostLines(zone).filter((line) => !line.startsWith('node2')), [
    'ood1 serving 1', 'node1 serving 1', 'node3 serving 1',
  ])
})

test('an actor of a node that is killed comes back alone', async () => {
  const incarnation = () => hostOf(zone, 'node3')!.actors[0]!.incarnation
  const before = incarnation()
  await zone.killHost('node3', 'node-daemon')
  await until(platform, 'the daemon serves again', () =>
    incarnation() > before && hostOf(zone, 'node3')!.actors[0]!.state === 'serving')
  assert.is(hostOf(zone, 'node3')!.starts, 1)
})

test('there is no killing what is not there', async () => {
  assert.is(await refusalOf(zone.killHost('node9')), 'NotFound')
  assert.is(await refusalOf(zone.killHost('node1', 'vault')), 'NotFound')
})

test('when verify-hub dies at the OOD, a node goes on and links to the next one', async () => {
  const daemon = hostOf(zone, 'node1')!.actors[0]!.incarnation
  const opened = () => links.filter((one) =>
    one.host === 'node1' && one.protocol === 'verify-hub' && one.state === 'open').length
  const before = opened()
  await zone.kill('verify-hub')
  await until(platform, 'node1 has a link to verify-hub again', () => opened() > before)
  assert.is(hostOf(zone, 'node1')!.actors[0]!.incarnation, daemon)
})

test('when the OOD is killed it comes back by itself, and so do the nodes’ links; no node restarts', async () => {
  const { port } = zone.address
  const before = zone.hosts().slice(1).map(({ host, starts, actors }) => [host, starts, actors[0]!.incarnation])
  const mark = links.length
  await zone.killHost('ood1')
  await until(platform, 'the OOD serves', () => hostOf(zone, 'ood1')!.state === 'serving')
  const linkedAgain = (name: string): boolean => ['system-config', 'verify-hub'].every((callee) =>
    links.slice(mark).some((one) => one.host === name && one.protocol === callee && one.state === 'open'))
  await until(platform, 'all nodes are linked again', () => NAMES.every(linkedAgain))
  const after = zone.hosts().slice(1).map(({ host, starts, actors }) => [host, starts, actors[0]!.incarnation])
  assert.equal(after, before)
  assert.is(hostOf(zone, 'ood1')!.starts, 2)
  assert.is((await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)).status, 200)
  assert.is(zone.address.port, port)
})

const gatewayOf = () => zone.list().find(({ name }) => name === 'gateway')!

test('the gateway of a host comes back where it was', async () => {
  const before = zone.address.port
  const { incarnation } = gatewayOf()
  await zone.kill('gateway')
  await until(platform, 'the gateway serves again', () => {
    const { state, incarnation: now } = gatewayOf()
    return state === 'serving' && now > incarnation
  })
  assert.is(zone.address.port, before)
  assert.is((await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)).status, 200)
})

test('a service that is scaled runs on nodes, and logs in there', async () => {
  const owner = ownerOf(zone, platform, folder)
  const spec = JSON.parse((await owner.get('services/service/spec'))!.value)
  await owner.tx({ 'services/service/spec': { action: 'update', value: JSON.stringify({ ...spec, replicas: 3 }) } })
  const running = () => zone.hosts().filter(({ actors }) =>
    actors.some(({ name, state }) => name === 'service' && state === 'serving')).map(({ host }) => host)
  await until(platform, 'three hosts run it', () => running().length === 3)
  assert.ok(running().includes('ood1'))
  assert.ok(existsSync(join(folder, 'nodes', running().find((name) => name !== 'ood1')!, 'stores', 'service')))
})

test('without its document a node’s links close and none opens; registered again it comes back', async () => {
  const owner = ownerOf(zone, platform, folder)
  const { value } = (await owner.get('devices/node3/doc'))!
  let mark = links.length
  const closed = () => new Set(links.slice(mark)
    .filter((one) => one.peerHost === 'node3' && one.role === 'responder' && one.state === 'closed')
    .map(({ actor }) => actor))
  // A copy that lies under another name registers nobody
  await owner.tx({ 'devices/copy/doc': { action: 'create', value }, 'devices/node3/doc': { action: 'remove' } })
  await until(platform, 'both links are closed', () => closed().has('system-config') && closed().has('verify-hub'))
  const { refused } = await visit(zone, platform, 'system-config', as('node3', 'node-daemon', 'node'))
  assert.match(refused, /unknown device/)
  mark = links.length
  await pause(platform.clock, 500)
  assert.is(links.slice(mark).filter((one) => one.peerHost === 'node3' && one.state === 'open').length, 0)
  await owner.tx({ 'devices/node3/doc': { action: 'create', value }, 'devices/copy/doc': { action: 'remove' } })
  await until(platform, 'node3 is linked again', () => links.slice(mark).some((one) =>
    one.host === 'node3' && one.protocol === 'system-config' && one.state === 'open'))
})

test('the daemon of the OOD still answers to its supervisor', async () => {
  assert.ok((await zone.get(NodeDaemon).services({})).length > 0)
})

test.run()
