import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  AlreadyExists, FolderInUse, InvalidArgument, NotWritable, PortInUse, Unavailable,
} from '../../runtime/errors.ts'
import type { HttpRequest } from '../../runtime/platform/ports.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { SimulationFailed, SimulationStalled, type World } from '../../runtime/sim/simulate.ts'
import { failureOf, pause, rejects, simulateWith, thrownBy, utf8 } from './sim-fixture.ts'

const time = suite('simulated time')

time('an hour passes at once, and the clock says so', async () => {
  const result = await simulateWith(async (world) => {
    const startMs = world.clock.now()
    await pause(world, 3_600_000)
    assert.is(world.clock.now() - startMs, 3_600_000)
  })
  assert.is(result.virtualMs, 3_600_000)
  assert.is(result.events, 1)
})

time('timers of one thread that are due together run in the order in which they were set', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const ran: number[] = []
    await simulateWith(async (world) => {
      for (let index = 0; index < 8; index++) world.clock.after(5, () => ran.push(index))
      await pause(world, 6)
    }, { seed })
    assert.equal(ran, [0, 1, 2, 3, 4, 5, 6, 7])
  }
})

time('which of two processes acts first at one moment depends on the seed', async () => {
  const orders = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) {
    const ran: string[] = []
    await simulateWith(async (world) => {
      for (const host of ['a', 'b']) world.startProcess(host).platform.clock.after(5, () => ran.push(host))
      await pause(world, 6)
    }, { seed })
    orders.add(ran.join())
  }
  assert.equal([...orders].sort(), ['a,b', 'b,a'])
})

time('a cancelled timer does not run, however many were cancelled', async () => {
  const ran: number[] = []
  await simulateWith(async (world) => {
    const set = (index: number) => world.clock.after(10 + (index % 7), () => ran.push(index))
    const cancels = [...Array(5_000).keys()].map(set)
    for (const [index, cancel] of cancels.entries()) if (index !== 4_321) cancel()
    await pause(world, 100)
  })
  assert.equal(ran, [4_321])
})

time('what is to run soon runs after all that is ready, before the next event', async () => {
  const ran: string[] = []
  await simulateWith(async (world) => {
    world.clock.after(1, () => ran.push('event'))
    world.clock.soon(() => ran.push('soon'))
    await Promise.resolve().then(() => {}).then(() => ran.push('ready'))
    await pause(world, 2)
  })
  assert.equal(ran, ['ready', 'soon', 'event'])
})

time('a program that waits for what cannot happen ends as a stall that names the wait', async () => {
  const stall = await failureOf(async (world) => {
    const { platform } = world.startProcess('ood1')
    const spawned = platform.host.spawn({ name: 'mute', permissions: {}, modules: [], heapMbMax: 64 })
    await spawned.terminate()
    await spawned.control.inspect()
  })
  assert.instance(stall, SimulationStalled)
  assert.match(stall.message, 'ood1/1 waits for inspect of ood1/1/mute')
})

time('a program without an end is stopped by the number of events and by virtual time', async () => {
  const forever = async (world: World): Promise<void> => { for (;;) await pause(world, 10) }
  assert.match((await failureOf(forever, { maxEvents: 50 })).message, 'maxEvents: 50')
  assert.match((await failureOf(forever, { maxVirtualMs: 200 })).message, 'maxVirtualMs: 200')
})

time('a failure says seed, time and events, and carries the last of them', async () => {
  const error = await thrownBy(simulateWith(async (world) => {
    await pause(world, 30)
    throw new Error('Planted')
  }, { seed: 42 }))
  assert.instance(error, SimulationFailed)
  assert.match(error?.message ?? '', 'Seed 42 failed at 30 ms, after 1 events: Planted')
  assert.equal((error as SimulationFailed).lastLines, ['30000 timer - > observer -'])
})

time('a rejection that nobody handles fails the run', async () => {
  const error = await failureOf(async (world) => {
    world.clock.after(1, () => void Promise.reject(new Error('Nobody looks')))
    await pause(world, 1_000)
  })
  assert.is(error.message, 'Nobody looks')
})

const random = suite('seeded random')

random('a fork has its own stream, by its label alone', () => {
  const parent = new SeededRandom('seed')
  const first = parent.fork('a').bytes(40)
  parent.bytes(100)
  assert.equal(parent.fork('a').bytes(40), first)
  assert.not.equal(parent.fork('b').bytes(40), first)
  assert.not.equal(new SeededRandom('other').fork('a').bytes(40), first)
  assert.is(first.length, 40)
  assert.is(new SeededRandom('known').word(), 2_966_342_010, 'the same on every runtime')
})

const channels = suite('simulated channels')

channels('frames arrive in order, as they were when sent, and the close comes last', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const arrived: unknown[] = []
    await simulateWith(async (world) => {
      const { platform } = world.startProcess('ood1')
      const [left, right] = platform.channelPair()
      const sender = platform.openChannel(left)
      const buffer = new Uint8Array(1)
      platform.openChannel(right).receive((frame) => arrived.push(frame[0]), (reason) => arrived.push(reason))
      for (let index = 0; index < 30; index++) {
        buffer[0] = index
        sender.send(buffer)
      }
      sender.close('done')
      sender.send(buffer)
      await pause(world, 10)
    }, { seed })
    assert.equal(arrived, [...Array(30).keys(), 'the peer closed its end'])
  }
})

channels('what arrives before an end is opened waits there, in order', async () => {
  const arrived: string[] = []
  await simulateWith(async (world) => {
    const { platform } = world.startProcess('ood1')
    const [left, right] = platform.channelPair()
    const sender = platform.openChannel(left)
    for (const frame of ['1', '2', '3']) sender.send(frame)
    await pause(world, 10)
    platform.openChannel(right).receive((frame) => arrived.push(String(frame)), (reason) => arrived.push(reason))
    sender.send('4')
    sender.close('done')
    await pause(world, 10)
  })
  assert.equal(arrived, ['1', '2', '3', '4', 'the peer closed its end'])
})

const processes = suite('simulated processes')

processes('a killed process does nothing more; its peers see the close, its files stay', async () => {
  const seen: string[] = []
  await simulateWith(async (world) => {
    const first = world.startProcess('ood1')
    const second = world.startProcess('ood2')
    const [left, right] = first.platform.channelPair()
    const sender = first.platform.openChannel(left)
    second.platform.openChannel(right).receive((frame) => seen.push(String(frame)), (reason) => seen.push(reason))
    const folder = await first.platform.host.openFolder('/zone')
    await folder.write('kept', utf8('kept'), { mode: 0o600 })
    await folder.lock('lock')
    first.platform.clock.after(5, () => seen.push('timer of the dead'))
    sender.send('last words')
    first.kill()
    sender.send('words of the dead')
    void folder.write('late', utf8('late'), { mode: 0o600 })
    await pause(world, 20)
    const again = await world.startProcess('ood1').platform.host.openFolder('/zone')
    assert.equal(await again.read('kept'), utf8('kept'))
    assert.is(await again.read('late'), undefined)
    await again.lock('lock')
  })
  assert.equal(seen, ['last words', 'the peer is gone'])
})

processes('files keep their modes, refuse a taken name and a path outside, and a lock names its holder', async () => {
  await simulateWith(async (world) => {
    const holder = world.startProcess('ood1')
    const other = world.startProcess('ood1')
    const folder = await holder.platform.host.openFolder('/zone')
    assert.is(folder.path('a/b'), '/zone/a/b')
    await folder.makeFolder('a', { mode: 0o700 })
    await folder.create('a/key', utf8('1'), { mode: 0o600 })
    await rejects(folder.create('a/key', utf8('2'), { mode: 0o600 }), AlreadyExists)
    assert.is(await folder.mode('a/key'), 0o600)
    assert.is(await folder.mode('none'), undefined)
    await folder.write('a/key', utf8('3'), { mode: 0o644 })
    assert.is(await folder.mode('a/key'), 0o644)
    assert.equal(await folder.list(''), [{ name: 'a', directory: true }])
    assert.throws(() => folder.path('../other'), (error: unknown) => error instanceof InvalidArgument)
    await rejects(folder.read('/etc/passwd'), InvalidArgument)
    await rejects(folder.write('missing/key', utf8('1'), { mode: 0o600 }), Error)
    const release = await folder.lock('lock')
    const same = await other.platform.host.openFolder('/zone')
    const taken = await thrownBy(same.lock('lock'))
    assert.instance(taken, FolderInUse)
    assert.match(taken?.message ?? '', `process ${holder.id}`)
    await release()
    await same.lock('lock')
    await folder.remove('a')
    assert.equal((await folder.list('')).map(({ name }) => name), ['lock'])
    await folder.makeFolder('sealed', { mode: 0o500 })
    await rejects(other.platform.host.openFolder('/zone/sealed'), NotWritable)
    assert.equal(await (await world.openFolder('ood1', '/zone')).read('a/key'), undefined)
    assert.equal(await (await world.openFolder('ood2', '/zone')).list(''), [])
  })
})

const http = suite('simulated HTTP')

const get = (path: string, body = ''): HttpRequest =>
  ({ method: 'GET', path, query: '', headers: {}, body: utf8(body), remoteAddress: '10.0.0.9' })

http('a server answers, limits bodies and time, hides what its handler throws, and frees its port', async () => {
  await simulateWith(async (world) => {
    const server = world.startProcess('ood1')
    const options = { hostname: '127.0.0.1', port: 0, bodyBytesMax: 4, requestMsMax: 1_000 }
    const { port, close } = await server.platform.transport.serveHttp(options, async ({ path }) => {
      if (path === '/throw') throw new Error('Secret')
      if (path === '/slow') await pause(server.platform, 500)
      if (path === '/never') await new Promise(() => {})
      return { status: 200, headers: {}, body: path }
    })
    await rejects(server.platform.transport.serveHttp({ ...options, port }, () => new Promise(() => {})), PortInUse)
    assert.is((await world.http('ood1', port, get('/hello'))).body, '/hello')
    assert.is((await world.http('ood1', port, get('/', '12345'))).status, 413)
    const failed = await world.http('ood1', port, get('/throw'))
    assert.is(failed.status, 500)
    assert.not.match(String(failed.body), /Secret/)
    await rejects(world.http('ood1', port, get('/never')), Unavailable)
    const slow = world.http('ood1', port, get('/slow'))
    await pause(world, 10)
    const closed = close(10_000)
    await rejects(world.http('ood1', port, get('/')), Unavailable)
    assert.is((await slow).status, 200)
    await closed
    const cut = world.http('ood2', 80, get('/'))
    await rejects(cut, Unavailable)
  })
})

http('a request to a process that is killed is cut', async () => {
  await simulateWith(async (world) => {
    const server = world.startProcess('ood1')
    const options = { hostname: '127.0.0.1', port: 80, bodyBytesMax: 4, requestMsMax: 60_000 }
    await server.platform.transport.serveHttp(options, () => new Promise(() => {}))
    const request = world.http('ood1', 80, get('/'))
    world.clock.after(100, () => server.kill())
    await rejects(request, Unavailable)
    assert.ok(world.clock.monotonic() < 1_000)
  })
})

processes('a file that grows by lines keeps them all, and what was read of it earlier stays as it was', async () => {
  await simulateWith(async (world) => {
    const files = await world.openFolder('ood1', '/logs')
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}\n`)
    const read = async (name: string): Promise<string> => new TextDecoder().decode(await files.read(name))
    let early: Uint8Array | undefined
    for (const [index, line] of lines.entries()) {
      await files.append('log', utf8(line), { mode: 0o600 })
      if (index === 9) early = await files.read('log')
      if (index === 19) await files.rename('log', 'log.1')
    }
    assert.is(new TextDecoder().decode(early), lines.slice(0, 10).join(''))
    assert.equal([await read('log.1'), await read('log')], [lines.slice(0, 20).join(''), lines.slice(20).join('')])
    const written = utf8('one')
    await files.write('own', written, { mode: 0o600 })
    written.fill(0)
    await files.append('own', utf8(' two'), { mode: 0o600 })
    assert.is(await read('own'), 'one two')
  })
})

for (const each of [time, random, channels, processes, http]) each.run()
