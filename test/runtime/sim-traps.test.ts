import 'reflect-metadata'
import { scrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { jwtVerify, SignJWT } from 'jose'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Nondeterminism, type World } from '../../runtime/sim/simulate.ts'
import { failureOf, pause, simulateWith } from './sim-fixture.ts'

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
  test(`${name} in simulated code fails the run, though the caller swallows the error`, async () => {
    const plantedCaller = (): void => {
      try { void violate() } catch { /* swallowed */ }
    }
    const error = await failureOf(async (world) => {
      world.clock.after(1, plantedCaller)
      await pause(world, 5)
    })
    assert.instance(error, Nondeterminism)
    assert.match(error.message, name)
    assert.match(error.message, /called at .*sim-traps\.test\.[tj]s:\d+/)
  })
}

const RACES = 1_000

/** What no trap on a global sees: each takes a thread pool or a timer of the runtime, and goes on by itself. */
const fromOutside: Readonly<Record<string, (world: World) => Promise<void>>> = {
  'a package that hashes by the thread pool': async ({ note }) => {
    await promisify<string, string, number, Buffer>(scrypt)('password', 'salt', 32)
    note('hashed')
  },
  'two reads of which the first to come decides': async ({ note }) => {
    const read = async (path: string): Promise<string> => `${path} ${(await readFile(path)).length}`
    // A runtime may have a short file at hand at once, and then nothing has happened outside; not every time
    for (let race = 0; race < RACES; race++) note(await Promise.race([read('package.json'), read('README.md')]))
  },
  'a package that sleeps by a timer of its own': async ({ clock }) => {
    await sleep(5)
    clock.after(1, () => {})
  },
}
for (const [name, violate] of Object.entries(fromOutside)) {
  test(`${name} fails the run`, async () => {
    const error = await failureOf(async (world) => {
      const planted = violate(world)
      for (let step = 0; step < 200_000; step++) await pause(world, 1)
      await planted
    }, { maxEvents: 1_000_000 })
    assert.instance(error, Nondeterminism, error.message)
    assert.match(error.message, /by a thread pool or a timer|node:crypto scrypt/)
  })
}

test('every global is itself again after a run, also after one that failed', async () => {
  const now = (): readonly unknown[] => [
    Date, Math.pow, setTimeout, crypto, performance.now, fetch, Date.now, process.hrtime, Date.prototype.toLocaleString,
  ]
  const before = now()
  await simulateWith(async () => assert.is.not(Date, before[0]))
  await failureOf(async () => { throw new Error('Planted') })
  assert.ok(now().every((each, index) => each === before[index]))
  assert.type(Date.now(), 'number')
})

test('a date made of a number is a value, and a power of two is exact', async () => {
  await simulateWith(async (world) => {
    const date = new Date(world.clock.now())
    assert.instance(date, Date)
    assert.is(date.toISOString(), '2026-01-01T00:00:00.000Z')
    assert.is(Date.UTC(2026, 0, 1), world.clock.now())
    assert.is(Math.pow(2, 40), 1_099_511_627_776)
  })
})

test('certificates by x509 and tokens by jose come from the seed and complete without a thread pool', async () => {
  const program = async (world: World): Promise<void> => {
    x509.cryptoProvider.set(crypto)
    const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])
    const keys = pair as { publicKey: CryptoKeyOf; privateKey: CryptoKeyOf }
    const notBefore = new Date(world.clock.now())
    const date = new Date(world.clock.now() + 1_000)
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=zone', keys, signingAlgorithm: { name: 'Ed25519' }, notBefore,
      notAfter: new Date(world.clock.now() + 60_000),
    } as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0])
    assert.ok(await certificate.verify({ date }))
    const token = await new SignJWT({ sub: 'alice', exp: world.clock.now() / 1_000 + 60 })
      .setProtectedHeader({ alg: 'EdDSA' }).sign(keys.privateKey as never)
    const { payload } = await jwtVerify(token, keys.publicKey as never, { currentDate: date })
    assert.is(payload.sub, 'alice')
    world.note(`${certificate.toString('hex')} ${token}`)
  }
  assert.is((await simulateWith(program)).hash, (await simulateWith(program)).hash)
  assert.is.not((await simulateWith(program, { seed: 2 })).hash, (await simulateWith(program)).hash)
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  const error = await failureOf(async () => void await crypto.subtle.generateKey(ecdsa, true, ['sign']))
  assert.instance(error, Nondeterminism)
})
type CryptoKeyOf = Parameters<typeof crypto.subtle.exportKey>[1]

test.run()
