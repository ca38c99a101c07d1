/** Two hosts in virtual time: an actor that needs one of the other host, and links that are made anew. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { call, number, object, protocol, string } from '../../runtime/protocol.ts'
import { worker, type ActorSpec, type SupervisorOptions } from '../../runtime/spec.ts'
import { ChannelEnd } from '../../runtime/sim/network.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace, type LinkEvent } from '../../runtime/trace.ts'
import type { TrustedDevice } from '../../runtime/worker.ts'
import { pause, simulateWith, thrownBy } from './sim-fixture.ts'

const Clerk = protocol('clerk', {
  who: call(object({}), string(), { concurrent: 8 }),
  nap: call(object({ ms: number() }), string(), { concurrent: 8 }),
})
const Desk = protocol('desk', {
  ask: call(object({}), string(), { concurrent: 8 }),
  askSlowly: call(object({ ms: number() }), string(), { concurrent: 8 }),
})

const clerk = actor(Clerk, {}, (start) => ({
  who: (_, { peer: { actor: name, host } }) =>
    `clerk ${start.self.incarnation} for ${name} on ${host}, a ${start.roleOf(host)}`,
  async nap({ ms }) {
    await pause(start, ms)
    return 'slept'
  },
}))
const desk = actor(Desk, { needs: { clerk: Clerk } }, () => ({
  ask: (_, cx) => cx.clerk.who({}),
  askSlowly: ({ ms }, cx) => cx.clerk.nap({ ms }),
}))
const urlOf = (name: string): URL => new URL(`${name}.js`, 'sim:///')
const modules = new Map<string, ActorDefinition>([
  [urlOf('clerk').href, clerk as unknown as ActorDefinition], [urlOf('desk').href, desk as unknown as ActorDefinition],
])

interface Pair {
  readonly ood: Supervisor
  readonly node: Supervisor
  readonly devices: readonly TrustedDevice[]
  readonly links: readonly LinkEvent[]
  /** How often the node asked for a channel. */
  readonly opens: () => number
  ask(withinMs?: number): Promise<string>
  pause(ms: number): Promise<void>
}

/** The OOD runs the clerk, the node the desk that needs it. */
async function withTwo(test: (pair: Pair) => Promise<void>): Promise<void> {
  await simulateWith(async (world) => {
    const { platform } = world.startProcess('machine')
    const trace = createTrace()
    const links: LinkEvent[] = []
    trace.on('link', (event) => void links.push(event))
    const keys = ['ood1', 'node1'].map((name) => platform.keys.generate(platform.random.fork(name)))
    const devices: TrustedDevice[] = [
      { host: 'ood1', role: 'ood', jwk: keys[0]!.public.jwk },
      { host: 'node1', role: 'node', jwk: keys[1]!.public.jwk },
    ]
    const host = (index: number, specs: readonly ActorSpec[], more: Partial<SupervisorOptions> = {}): Supervisor =>
      new Supervisor({
        platform: platform as Platform, zone: 'z1', host: devices[index]!.host, device: keys[index]!, trace, devices,
        kernelActors: [], ...more,
      }, specs)
    let opens = 0
    const ood = host(0, [worker(Clerk, urlOf('clerk'))])
    const node = host(1, [worker(Desk, urlOf('desk'))], {
      remote: (name) => (name !== 'clerk' ? undefined : {
        host: 'ood1',
        open: async (caller) => {
          opens++
          return ood.accept(name, caller)
        },
      }),
    })
    for (const one of [ood, node]) {
      await one.load()
      await one.startAll()
    }
    await test({
      ood, node, devices, links, opens: () => opens,
      ask: (withinMs = 5_000) => node.get(Desk).ask({}, { withinMs }), pause: (ms) => pause(world, ms),
    })
    await node.stopAll()
    await ood.stopAll()
  }, { modules, maxEvents: 200_000 })
}

const stateOf = (supervisor: Supervisor, name: string) => supervisor.list().find((each) => each.name === name)!

test('an actor calls one of another host, which knows it by host and role; the link is sealed', () =>
  withTwo(async ({ ask, links }) => {
    assert.match(await ask(), /^clerk \d+ for desk on node1, a node$/)
    const [link] = links.filter(({ protocol, role }) => protocol === 'clerk' && role === 'initiator')
    assert.equal([link?.suite, link?.peerHost], ['sealed', 'ood1'])
  }))

test('when the callee dies, what is pending fails, the caller lives, and later calls reach the next incarnation', () =>
  withTwo(async ({ ood, node, ask }) => {
    const before = await ask()
    const own = stateOf(node, 'desk').incarnation
    const pending = thrownBy(node.get(Desk).askSlowly({ ms: 60_000 }, { withinMs: 30_000 }))
    await ask()
    await ood.kill('clerk')
    assert.ok(await pending)
    assert.is.not(await ask(), before)
    assert.equal([stateOf(node, 'desk').incarnation, stateOf(node, 'desk').state], [own, 'serving'])
  }))

test('an actor starts while what it needs of another host is away, and is linked when that serves', () =>
  withTwo(async ({ ood, node, ask, pause }) => {
    await ood.stop('clerk')
    await node.kill('desk')
    await pause(1_000)
    assert.is(stateOf(node, 'desk').state, 'serving')
    assert.ok(await thrownBy(ask(500)))
    await ood.start('clerk')
    assert.match(await ask(), /^clerk/)
  }))

test('while the callee is away, attempts come ever more rarely', () =>
  withTwo(async ({ ood, opens, pause, ask }) => {
    await ood.stop('clerk')
    const before = opens()
    await pause(60_000)
    const tries = opens() - before
    assert.ok(tries >= 60_000 / limits.relinkMsMax && tries < 2 * 60_000 / limits.relinkMsMax + 12, `${tries}`)
    await ood.start('clerk')
    assert.match(await ask(), /^clerk/)
  }))

test('when its host crashes, a caller is gone at the callee, and the host that takes its place is served', () =>
  withTwo(async ({ ood, node, links, pause, ask }) => {
    await ask()
    await node.crash('killed')
    await pause(100)
    const served = links.filter(({ host, peerHost, role, protocol }) =>
      host === 'ood1' && peerHost === 'node1' && role === 'responder' && protocol === 'clerk')
    const open = served.reduce((sum, { state }) => sum + (state === 'open' ? 1 : -1), 0)
    assert.is(open, 0)
    assert.is(stateOf(ood, 'clerk').state, 'serving')
    assert.instance(await thrownBy(node.start('desk')), StartFailed)
  }))

test('links of a host that is no longer trusted close at once, and none opens until it is trusted again', () =>
  withTwo(async ({ ood, devices, links, ask, pause }) => {
    await ask()
    ood.trust([])
    await pause(100)
    const closed = links.some(({ host, state, peerHost, reason }) =>
      host === 'ood1' && peerHost === 'node1' && state === 'closed' && /not registered/.test(reason))
    assert.ok(closed)
    assert.ok(await thrownBy(ask(3_000)))
    ood.trust(devices)
    assert.match(await ask(), /^clerk/)
  }))

test('a host whose key or role has changed is another host: its links close', () =>
  withTwo(async ({ ood, devices, links, ask, pause }) => {
    await ask()
    const mark = links.length
    ood.trust(devices.map((one) => (one.host === 'node1' ? { ...one, role: 'ood' as const } : one)))
    await pause(20)
    assert.ok(links.slice(mark).some(({ host, state }) => host === 'ood1' && state === 'closed'))
    await pause(5_000)
    assert.match(await ask(), /, a ood$/)
  }))

/** The next frame on any channel between actors arrives changed. */
let spoil = false
/** Runs once, before the clerk's answer to the first message of a handshake is on its way. */
let onAnswer: (() => Promise<void>) | undefined
const isAnswerOfClerk = (frame: unknown): boolean => {
  const claims = typeof frame === 'string' && /"suite":.*"certificate":"[^."]+\.([^."]+)\./.exec(frame)?.[1]
  return claims !== false && claims !== undefined && atob(claims).includes('"actor":"clerk"')
}
const open = ChannelEnd.prototype.open
ChannelEnd.prototype.open = function (this: ChannelEnd, kind) {
  const channel = open.call(this, kind)
  return {
    ...channel,
    send(frame) {
      if (onAnswer && isAnswerOfClerk(frame)) {
        const run = onAnswer
        onAnswer = undefined
        return void run().then(() => channel.send(frame))
      }
      const bad = spoil && frame.length > 0
      spoil &&= !bad
      if (!bad) return channel.send(frame)
      if (typeof frame === 'string') return channel.send(`${frame.slice(0, -1)}${frame.endsWith('x') ? 'y' : 'x'}`)
      channel.send(frame.map((byte, index) => (index === frame.length - 1 ? byte ^ 1 : byte)))
    },
  }
}

test('a handshake that was under way when the key of its host changed gives no link', () =>
  withTwo(async ({ ood, node, devices, links, ask, pause }) => {
    await ask()
    await node.kill('desk')
    const answered = new Promise<void>((resolve) => {
      onAnswer = async () => {
        ood.trust(devices.map((one) => (one.host === 'node1' ? { ...one, jwk: devices[0]!.jwk } : one)))
        await pause(100)
        resolve()
      }
    })
    await answered
    await pause(5_000)
    const open = links.filter(({ host, peerHost, role }) => host === 'ood1' && peerHost === 'node1'
      && role === 'responder').reduce((sum, { state }) => sum + (state === 'open' ? 1 : -1), 0)
    assert.is(open, 0)
    ood.trust(devices)
    assert.match(await ask(), /^clerk/)
  }))

for (const where of ['of another host', 'of this host'] as const) {
  test(`one rejected frame parts no actor from one ${where} that it needs`, () => simulateWith(async (world) => {
    const platform = world.startProcess('machine').platform
    const device = platform.keys.generate(platform.random)
    const options = {
      platform, zone: 'z1', host: 'ood1', device, trace: createTrace(), kernelActors: [],
      devices: [{ host: 'ood1', role: 'ood', jwk: device.public.jwk }] as const,
    }
    const clerks = new Supervisor(options, [worker(Clerk, urlOf('clerk'))])
    const remote = (name: string) => (name !== 'clerk' ? undefined
      : { host: 'ood1', open: async (caller: Parameters<Supervisor['accept']>[1]) => clerks.accept(name, caller) })
    const desks = where === 'of this host'
      ? new Supervisor(options, [worker(Desk, urlOf('desk')), worker(Clerk, urlOf('clerk'))])
      : new Supervisor({ ...options, remote }, [worker(Desk, urlOf('desk'))])
    for (const one of [clerks, desks]) {
      await one.load()
      await one.startAll()
    }
    const ask = () => desks.get(Desk).ask({}, { withinMs: 5_000 })
    const before = await ask()
    const states = JSON.stringify(desks.list())
    // The supervisor's own call arrives; what its actor asks of the other does not
    const slow = desks.get(Desk).askSlowly({ ms: 1_000 }, { withinMs: 5_000 })
    await pause(world, 500)
    const failed = thrownBy(slow)
    spoil = true
    await failed
    await pause(world, 5_000)
    const after = await ask()
    if (after !== before || JSON.stringify(desks.list()) !== states) throw new Error(`${before} then ${after}`)
    spoil = true
    await thrownBy(ask())
    await pause(world, 5_000)
    if (await ask() !== before) throw new Error('The supervisor has no link of its own again')
    await desks.stopAll()
    await clerks.stopAll()
  }, { modules, maxEvents: 200_000 }).then(() => {}))
}

test('a host always trusts itself, whatever it is told', () =>
  withTwo(async ({ ood, pause }) => {
    ood.trust([])
    await pause(100)
    assert.match(await ood.get(Clerk).who({}), /for supervisor on ood1, a ood$/)
  }))

test.run()
