import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { jwtVerify, SignJWT } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import {
  AlreadyExists, Denied, FolderInUse, InvalidArgument, NotWritable, PortInUse, StartFailed, Unavailable,
} from '../../runtime/errors.ts'
import { supervise, worker } from '../../runtime/index.ts'
import type { HttpRequest, Keys, Platform } from '../../runtime/platform/ports.ts'
import { call, number, object, protocol, send, string } from '../../runtime/protocol.ts'
import { createKeys } from '../../runtime/sim/keys.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import {
  Nondeterminism, SimulationFailed, SimulationStalled, simulate, type SimulateOptions, type SimulationResult,
  type World,
} from '../../runtime/sim/simulate.ts'

const text = new TextEncoder()

const simulateWith = (program: (world: World) => Promise<void>, options: Partial<SimulateOptions> = {}):
  Promise<SimulationResult> => simulate({ seed: 1, keys: 'cheap', modules: new Map(), maxEvents: 10_000, maxVirtualMs: 86_400_000, ...options }, program)

/** The cause of the failure that the run must end with. */
async function failureOf(program: (world: World) => Promise<void>, options: Partial<SimulateOptions> = {}): Promise<Error> {
  try {
    await simulateWith(program, options)
  } catch (error) {
    assert.instance(error, SimulationFailed)
    return (error as Error).cause as Error
  }
  throw new Error('The run did not fail')
}

const pause = ({ clock }: Pick<Platform, 'clock'>, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))

async function rejects(work: Promise<unknown>, Class: new (...args: never[]) => Error): Promise<void> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown)
  assert.instance(error, Class)
}

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
    const cancels = Array.from({ length: 5_000 }, (_, index) => world.clock.after(10 + (index % 7), () => ran.push(index)))
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
    const spawned = platform.host.spawn({ name: 'mute', permissions: {}, heapMbMax: 64 })
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
  const run = simulateWith(async (world) => {
    await pause(world, 30)
    throw new Error('Planted')
  }, { seed: 42 })
  const error = await run.then(() => undefined, (thrown: unknown) => thrown as SimulationFailed)
  assert.match(error?.message ?? '', 'Seed 42 failed at 30 ms, after 1 events: Planted')
  assert.equal(error?.lastLines, ['30000 timer - > observer -'])
})

time('a rejection that nobody handles fails the run', async () => {
  const error = await failureOf(async (world) => {
    world.clock.after(1, () => void Promise.reject(new Error('Nobody looks')))
    await pause(world, 1_000)
  })
  assert.is(error.message, 'Nobody looks')
})

const random = suite('seeded random')

random('a fork is its own stream: the same for the same label, another for another, and untouched by its parent', () => {
  const parent = new SeededRandom('seed')
  const first = parent.fork('a').bytes(40)
  parent.bytes(100)
  assert.equal(parent.fork('a').bytes(40), first)
  assert.not.equal(parent.fork('b').bytes(40), first)
  assert.not.equal(new SeededRandom('other').fork('a').bytes(40), first)
  assert.is(first.length, 40)
  // Known answer: the same on every runtime
  assert.is(new SeededRandom('known').word(), KNOWN_WORD)
})
const KNOWN_WORD = 2_966_342_010

const traps = suite('traps')

const violations: Readonly<Record<string, () => unknown>> = {
  'Date.now': () => Date.now(),
  'new Date': () => new Date(),
  'Date is': () => Date(),
  'performance.now': () => performance.now(),
  'Math.random': () => Math.random(),
  'Math.exp': () => Math.exp(1),
  'Math.log': () => Math.log(3),
  'Math.pow': () => Math.pow(3, 0.5),
  setTimeout: () => setTimeout(() => {}, 1),
  setInterval: () => setInterval(() => {}, 1),
  setImmediate: () => setImmediate(() => {}),
  'String.prototype.localeCompare': () => 'a'.localeCompare('b'),
  'AbortSignal.timeout': () => AbortSignal.timeout(10),
  'crypto.randomUUID': () => crypto.randomUUID(),
  'process.hrtime': () => process.hrtime(),
  'process.hrtime.bigint': () => process.hrtime.bigint(),
  fetch: () => fetch('http://127.0.0.1:1/'),
}

for (const [name, violate] of Object.entries(violations)) {
  traps(`${name} in simulated code fails the run, though the caller swallows the error`, async () => {
    const plantedCaller = (): void => {
      try { void violate() } catch { /* swallowed */ }
    }
    const error = await failureOf(async (world) => {
      world.clock.after(1, plantedCaller)
      await pause(world, 5)
    })
    assert.instance(error, Nondeterminism)
    assert.match(error.message, name)
    assert.match(error.message, /called at .*sim\.test\.[tj]s:\d+/)
  })
}

traps('every global is itself again after a run, also after one that failed', async () => {
  const before = [Date, Math.pow, setTimeout, crypto, performance.now, fetch, Date.now, process.hrtime]
  await simulateWith(async () => assert.is.not(Date, before[0]))
  await failureOf(async () => { throw new Error('Planted') })
  assert.equal([Date, Math.pow, setTimeout, crypto, performance.now, fetch, Date.now, process.hrtime].map((each, index) => each === before[index]), before.map(() => true))
  assert.type(Date.now(), 'number')
})

traps('a date made of a number is a value, and a power of two is exact', async () => {
  await simulateWith(async (world) => {
    const date = new Date(world.clock.now())
    assert.instance(date, Date)
    assert.is(date.toISOString(), '2026-01-01T00:00:00.000Z')
    assert.is(Date.UTC(2026, 0, 1), world.clock.now())
    assert.is(Math.pow(2, 40), 1_099_511_627_776)
  })
})

traps('certificates by x509 and tokens by jose come from the seed and complete without a thread pool', async () => {
  const program = async (world: World): Promise<void> => {
    x509.cryptoProvider.set(crypto)
    const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])
    const keys = pair as { publicKey: CryptoKeyOf; privateKey: CryptoKeyOf }
    const notBefore = new Date(world.clock.now())
    const date = new Date(world.clock.now() + 1_000)
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=zone', keys, signingAlgorithm: { name: 'Ed25519' }, notBefore, notAfter: new Date(world.clock.now() + 60_000),
    } as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0])
    assert.ok(await certificate.verify({ date }))
    const token = await new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'EdDSA' }).setExpirationTime(world.clock.now() / 1_000 + 60)
      .sign(keys.privateKey as never)
    const { payload } = await jwtVerify(token, keys.publicKey as never, { currentDate: date })
    assert.is(payload.sub, 'alice')
    world.note(`${certificate.toString('hex')} ${token}`)
  }
  assert.is((await simulateWith(program)).hash, (await simulateWith(program)).hash)
  assert.is.not((await simulateWith(program, { seed: 2 })).hash, (await simulateWith(program)).hash)
  const ecdsa = await failureOf(async () => void await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']))
  assert.instance(ecdsa, Nondeterminism)
})
type CryptoKeyOf = Parameters<typeof crypto.subtle.exportKey>[1]

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

processes('a killed process runs no timer and writes nothing more; its peers see the close, its files stay', async () => {
  const seen: string[] = []
  await simulateWith(async (world) => {
    const first = world.startProcess('ood1')
    const second = world.startProcess('ood2')
    const [left, right] = first.platform.channelPair()
    const sender = first.platform.openChannel(left)
    second.platform.openChannel(right).receive((frame) => seen.push(String(frame)), (reason) => seen.push(reason))
    const folder = await first.platform.host.openFolder('/zone')
    await folder.write('kept', text.encode('kept'), { mode: 0o600 })
    await folder.lock('lock')
    first.platform.clock.after(5, () => seen.push('timer of the dead'))
    sender.send('last words')
    first.kill()
    sender.send('words of the dead')
    void folder.write('late', text.encode('late'), { mode: 0o600 })
    await pause(world, 20)
    const again = await world.startProcess('ood1').platform.host.openFolder('/zone')
    assert.equal(await again.read('kept'), text.encode('kept'))
    assert.is(await again.read('late'), undefined)
    await again.lock('lock')
  })
  assert.equal(seen, ['last words', 'the peer closed its end'])
})

processes('files keep their modes, refuse a taken name and a path outside, and a lock names its holder', async () => {
  await simulateWith(async (world) => {
    const holder = world.startProcess('ood1')
    const other = world.startProcess('ood1')
    const folder = await holder.platform.host.openFolder('/zone')
    assert.is(folder.path('a/b'), '/zone/a/b')
    await folder.makeFolder('a', { mode: 0o700 })
    await folder.create('a/key', text.encode('1'), { mode: 0o600 })
    await rejects(folder.create('a/key', text.encode('2'), { mode: 0o600 }), AlreadyExists)
    assert.is(await folder.mode('a/key'), 0o600)
    assert.is(await folder.mode('none'), undefined)
    await folder.write('a/key', text.encode('3'), { mode: 0o644 })
    assert.is(await folder.mode('a/key'), 0o644)
    assert.equal(await folder.list(''), [{ name: 'a', directory: true }])
    assert.throws(() => folder.path('../other'), (error: unknown) => error instanceof InvalidArgument)
    await rejects(folder.read('/etc/passwd'), InvalidArgument)
    await rejects(folder.write('missing/key', text.encode('1'), { mode: 0o600 }), Error)
    const release = await folder.lock('lock')
    const same = await other.platform.host.openFolder('/zone')
    const taken = await same.lock('lock').then(() => undefined, (error: unknown) => error)
    assert.instance(taken, FolderInUse)
    assert.match((taken as Error).message, `process ${holder.id}`)
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

const workers = suite('simulated workers')

const Probe = protocol('probe', { read: call(object({}), number()), burst: send(object({})), keep: call(object({ text: string() }), number()) })
const probeUrl = new URL('probe.js', 'sim:///')
const probe = (start: Parameters<typeof actor<typeof Probe>>[2]): ReadonlyMap<string, ActorDefinition> =>
  new Map([[probeUrl.href, actor(Probe, {}, start) as unknown as ActorDefinition]])
const superviseProbe = (platform: Platform) => supervise([worker(Probe, probeUrl)], { platform, host: 'ood1', stores: '/stores' })
const neverKeeps = { burst: () => {}, keep: () => 0 }

workers('a planted Date.now in an actor fails the run and is named, though the caller only sees a failed call', async () => {
  const modules = probe(() => ({ ...neverKeeps, read: () => Date.now() }))
  const error = await failureOf(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    await zone.get(Probe).read({}).catch(() => {})
  }, { modules })
  assert.instance(error, Nondeterminism)
  assert.match(error.message, /^Date\.now .* called at .*sim\.test\.[tj]s:\d+/)
})

workers('an actor that throws outside a call ends its worker, and the supervisor starts it again', async () => {
  const modules = probe(({ clock, self }) => ({
    ...neverKeeps, read: () => self.incarnation, burst: () => void clock.after(1, () => { throw new Error('Planted') }),
  }))
  await simulateWith(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    const reasons: string[] = []
    zone.trace.on('actor', ({ state, reason }) => { if (state === 'died') reasons.push(reason) })
    const incarnation = await zone.get(Probe).read({})
    zone.get(Probe).burst({})
    await pause(world, 2_000)
    assert.equal(reasons, ['Planted'])
    assert.ok(await zone.get(Probe).read({}) > incarnation)
  }, { modules })
})

workers('a process killed at any event keeps every write that was answered, and none that was not begun', async () => {
  const modules = probe(({ store }) => ({
    ...neverKeeps, read: () => store.revision(), keep: ({ text: value }) => store.put(value, text.encode(value)),
  }))
  const outcomes = new Set<string>()
  for (let killAt = 1; killAt <= 40; killAt++) {
    let [begun, answered, lines] = [0, 0, 0]
    let kill = (): void => {}
    await simulateWith(async (world) => {
      const first = world.startProcess('ood1')
      kill = () => first.kill()
      const writing = async (): Promise<void> => {
        const zone = await superviseProbe(first.platform)
        for (const each of ['a', 'b', 'c', 'd', 'e', 'f']) {
          begun++
          await zone.get(Probe).keep({ text: each })
          answered++
        }
      }
      void writing()
      await pause(world, 1_000)
      first.kill()
      const again = await superviseProbe(world.startProcess('ood1').platform)
      const kept = await again.get(Probe).read({})
      assert.ok(kept >= answered && kept <= begun, `killed at event ${killAt}: ${begun} begun, ${kept} kept, ${answered} answered`)
      outcomes.add(`${begun - kept} lost, ${kept - answered} kept without an answer`)
    }, { modules, onLine: () => { if (++lines === killAt) kill() } })
  }
  assert.equal([...outcomes].sort(), ['0 lost, 0 kept without an answer', '0 lost, 1 kept without an answer', '1 lost, 0 kept without an answer'])
})

workers('a module that the simulation was not given fails the start, and the worker says which', async () => {
  await simulateWith(async (world) => {
    const start = superviseProbe(world.startProcess('ood1').platform)
    const error = await start.then(() => undefined, (thrown: unknown) => thrown as Error)
    assert.instance(error, StartFailed)
    assert.match(error?.message ?? '', 'sim:///probe.js')
  })
})

workers('a supervisor and its actors live for a simulated day, heartbeats and all', async () => {
  const result = await simulateWith(async (world) => {
    const zone = await superviseProbe(world.startProcess('ood1').platform)
    await pause(world, 86_400_000)
    assert.is(await zone.get(Probe).read({}), 1)
  }, { modules: probe(() => ({ ...neverKeeps, read: () => 1 })), maxEvents: 1_000_000, maxVirtualMs: 90_000_000 })
  assert.ok(result.events > 3 * 86_400, `too few events: ${result.events}`)
})

const http = suite('simulated HTTP')

const get = (path: string, body = ''): HttpRequest =>
  ({ method: 'GET', path, query: '', headers: {}, body: text.encode(body), remoteAddress: '10.0.0.9' })

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
    assert.equal([failed.status, failed.body], [500, 'The request failed\n'])
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

for (const kind of ['cheap', 'real'] as const) {
  const keysSuite = suite(`${kind} keys of a simulation`)
  let keys: Keys
  keysSuite.before(async () => { keys = await createKeys(kind) })

  keysSuite('a signature holds for its key and message only', () => {
    const key = keys.generate(new SeededRandom('a'))
    const other = keys.generate(new SeededRandom('b'))
    const message = text.encode('a message of some length, longer than a block')
    const signature = key.sign(message)
    assert.is(signature.length, 64)
    assert.equal(key.sign(message), signature)
    const imported = keys.importJwk(key.public.jwk)
    assert.is(imported.kid, key.public.kid)
    assert.ok(imported.verify(message, signature))
    assert.not(other.public.verify(message, signature))
    for (let bit = 0; bit < message.length * 8; bit += 5) assert.not(imported.verify(flip(message, bit), signature))
    for (let bit = 0; bit < 512; bit += 7) assert.not(imported.verify(message, flip(signature, bit)))
    assert.not(imported.verify(message, new Uint8Array(64)))
    assert.not(imported.verify(message, signature.subarray(1)))
    assert.is(keys.importPem(key.exportPem()).public.kid, key.public.kid)
    assert.throws(() => keys.importPem('no key'), (error: unknown) => error instanceof InvalidArgument)
    assert.throws(() => keys.importJwk({ ...key.public.jwk, x: 'AA' }), (error: unknown) => error instanceof InvalidArgument)
  })

  keysSuite('two ends agree on a secret that a third does not get, and zero is refused', () => {
    const [left, right, third] = ['a', 'b', 'c'].map((label) => keys.agreement(new SeededRandom(label)))
    assert.ok(left && right && third)
    assert.equal(new Uint8Array(left.agree(right.publicKey)), new Uint8Array(right.agree(left.publicKey)))
    assert.not.equal(new Uint8Array(left.agree(right.publicKey)), new Uint8Array(third.agree(left.publicKey)))
    assert.throws(() => left.agree(new Uint8Array(32)), (error: unknown) => error instanceof Denied)
    assert.throws(() => left.agree(new Uint8Array(31)), (error: unknown) => error instanceof Denied)
  })

  keysSuite('a MAC and a seal cover key, header and content, and a seal hides the content', () => {
    const [key, otherKey] = [keys.hash(text.encode('1')), keys.hash(text.encode('2'))]
    const [header, frame] = [text.encode('header'), text.encode('the content of a frame')]
    const tag = (macKey: Uint8Array, tagHeader: Uint8Array, content: Uint8Array): string =>
      keys.mac(macKey).tag(tagHeader, content).join()
    const own = tag(key, header, frame)
    assert.is(own.split(',').length, 16)
    assert.is(tag(key, header, frame), own)
    assert.is.not(tag(otherKey, header, frame), own)
    assert.is.not(tag(key, flip(header, 3), frame), own)
    assert.is.not(tag(key, header, flip(frame, 170)), own)
    const nonce = new Uint8Array(12)
    const sealed = keys.aead(key).seal(nonce, frame, header)
    assert.is(sealed.length, frame.length + 16)
    assert.is(new TextDecoder().decode(sealed).includes('content'), false)
    assert.equal(new Uint8Array(keys.aead(key).open(nonce, sealed, header) ?? []), frame)
    for (let bit = 0; bit < sealed.length * 8; bit += 3) assert.is(keys.aead(key).open(nonce, flip(sealed, bit), header), undefined)
    assert.is(keys.aead(otherKey).open(nonce, sealed, header), undefined)
    assert.is(keys.aead(key).open(nonce, sealed, frame), undefined)
    assert.is(keys.aead(key).open(flip(nonce, 1), sealed, header), undefined)
  })

  keysSuite('a slow hash completes without a thread pool', async () => {
    let settled = false
    const hash = keys.slowHash(text.encode('password'), text.encode('salt'))
    void hash.then(() => (settled = true))
    for (let tick = 0; tick < 10; tick++) await Promise.resolve()
    assert.ok(settled)
    assert.equal(await hash, await keys.slowHash(text.encode('password'), text.encode('salt')))
    assert.not.equal(await hash, await keys.slowHash(text.encode('Password'), text.encode('salt')))
  })

  keysSuite.run()
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

for (const each of [time, random, traps, channels, processes, workers, http]) each.run()
