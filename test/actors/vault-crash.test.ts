/** Ended at each point at which something of the vault stands half done, it is whole when it is started again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import vault from '../../actors/vault/actor.ts'
import { unkept } from '../../actors/vault/audit/audit.ts'
import { emptyChain, type AuditRecord } from '../../actors/vault/audit/record.ts'
import { segmentsIn } from '../../actors/vault/audit/segments.ts'
import { pointFault } from '../../actors/vault/audit/signature.ts'
import { ChainWalk, linesOf, type Finding } from '../../actors/vault/audit/walk.ts'
import { createCore } from '../../actors/vault/core.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { createSealLife } from '../../actors/vault/seal/life.ts'
import { reencrypt } from '../../actors/vault/seal/reencrypt.ts'
import { Rekey } from '../../actors/vault/seal/rekey.ts'
import { unseal } from '../../actors/vault/unseal.ts'
import { messageOf } from '../../runtime/errors.ts'
import { install, type CrashPoint } from '../../runtime/fault-points.ts'
import type { Files, Keys, PublicJwk } from '../../runtime/platform/ports.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { simulate, type World } from '../../runtime/sim/simulate.ts'
import { worker } from '../../runtime/spec.ts'
import type { Store } from '../../runtime/store/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace } from '../../runtime/trace.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { contents, keys, newStore, newUnsealKey } from './vault-fixture.ts'

/** Runs until the point is passed for the n-th time, and there no further. True when it was ended. */
async function endedAt(point: CrashPoint, time: number, run: () => Promise<unknown>): Promise<boolean> {
  let passed = 0
  const uninstall = install({
    strikes: () => false,
    crash(at) {
      if (at === point && ++passed === time) throw new Error(`ended at ${point}`)
    },
    saw() {},
  })
  try {
    await run()
    return false
  } catch (error) {
    assert.is(messageOf(error), `ended at ${point}`)
    return true
  } finally {
    uninstall()
  }
}

async function vaultIn(store: Store, secrets: { 'unseal-key': string }) {
  const ports = { store, keys, random: systemRandom, clock: systemClock }
  const core = createCore({ ports, audit: unkept, reopen: () => unseal(ports, secrets) })
  const life = createSealLife({ core, audit: unkept, secrets, booted: false, onChange() {} })
  await life.start()
  return { core, life, ports, rekey: new Rekey(core, unkept, secrets), open: core.open() }
}

test('ended right after it was made, a vault opens by its key file; its shares were not told', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  assert.ok(await endedAt('vault/initialised', 1, () => vaultIn(store, secrets)))
  const { life, open } = await vaultIn(store, secrets)
  assert.is(life.takeShares(), undefined)
  assert.is(open.term, 1)
})

test('ended right after a rotation, it has the new term, and what was written before', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { open } = await vaultIn(store, secrets)
  await open.secrets.put('a/s', 'one', undefined)
  assert.ok(await endedAt('vault/rotated', 1, () => open.terms.rotate()))
  const again = (await vaultIn(store, secrets)).open
  assert.equal([again.term, (await again.secrets.get('a/s')).value, await again.terms.rotate()], [2, 'one', 3])
})

test('ended right after a rekey, the key file opens it, and the old shares do not', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { life, rekey, open } = await vaultIn(store, secrets)
  await open.secrets.put('a/s', 'one', undefined)
  const shares = life.takeShares()!.map((share) => fromBase64url(share)!)
  const { nonce } = await rekey.begin({ shares: 2, threshold: 2, verify: false })
  assert.ok(await endedAt('vault/rekeyed', 1, async () => {
    for (const share of shares) await rekey.offer(nonce, share)
  }))
  const again = await vaultIn(store, secrets)
  assert.is((await again.open.secrets.get('a/s')).value, 'one')
  // Nobody was told the new shares: it serves by the key file alone. With `verify` the old ones would still be good
  again.core.seal()
  assert.equal([(await again.life.status()).shares, (await again.life.status()).threshold], [2, 2])
})

test('ended anywhere while entries are sealed anew, it goes on, and every entry opens', async () => {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { open, ports } = await vaultIn(store, secrets)
  for (let index = 0; index < 90; index++) await open.secrets.put(`a/${index}`, `v${index}`, undefined)
  await open.terms.rotate()
  const never = new AbortController().signal
  let ends = 0
  for (let time = 1; await endedAt('vault/re-encrypted', time, () => reencrypt(ports, open, never)); time++) ends++
  assert.ok(ends >= 3, String(ends))
  const again = (await vaultIn(store, secrets)).open
  for (let index = 0; index < 90; index++) assert.is((await again.secrets.get(`a/${index}`)).value, `v${index}`)
  const terms = [...await contents(store)].filter(([key]) => !key.startsWith('core/')).map(([, value]) => value[3])
  assert.equal(new Set(terms), new Set([2]))
})

const HOST = 'ood1'
const module = new URL('../../actors/vault/actor.ts', import.meta.url)
const name = { zone: 'z1', host: HOST }

interface Checked {
  readonly findings: readonly Finding[]
  readonly records: readonly AuditRecord[]
  readonly repaired: number
  readonly signatures: number
}

async function checked(files: Files, keyPort: Keys): Promise<Checked> {
  const findings: Finding[] = []
  const records: AuditRecord[] = []
  let signatures = 0
  const { jwk } = JSON.parse(new TextDecoder().decode(await files.read('key.jwk'))) as { jwk: PublicJwk }
  const walk = new ChainWalk({
    keys: keyPort, from: emptyChain, onFinding: (finding) => void findings.push(finding),
    onRecord(record) {
      records.push(record)
      if (record.kind !== 'signature') return
      const fault = pointFault(keyPort, jwk, name, { seq: record.seq - 1, hash: record.prev }, record.signature!)
      if (fault) findings.push({ fault: 'signature', seq: record.seq, detail: fault })
      else signatures++
    },
  })
  for (const segment of await segmentsIn(files)) {
    walk.rest(linesOf((await files.read(segment))!, (line) => walk.line(line)))
  }
  return { findings, records, repaired: walk.repaired, signatures }
}

/** The vault in a process that loses its power while it works, again and again. */
async function killedOften(seed: number, rounds: number): Promise<{ hash: string; repaired: number; told: number }> {
  const acknowledged: number[] = []
  let last: Checked | undefined
  const { hash } = await simulate({
    seed, keys: 'cheap', modules: new Map([[module.href, vault]]), maxEvents: 500_000, maxVirtualMs: 3_600_000,
  }, async (world: World) => {
    const secrets = { 'unseal-key': toBase64url(world.random.bytes(32)) }
    await world.openFolder(HOST, '/audit')
    world.tearWrites(HOST, true)
    for (let round = 0; round <= rounds; round++) {
      const process = world.startProcess(HOST)
      const device = process.platform.keys.generate(process.platform.random)
      const supervisor = new Supervisor({
        platform: process.platform, zone: 'z1', host: HOST, device, stores: { type: 'folder', path: '/stores' }, trace: createTrace(),
        devices: [{ host: HOST, role: 'ood', jwk: device.public.jwk }], kernelActors: ['vault'],
      }, [worker(Vault, module, { runtimeType: 'kernel-service', files: '/audit' })])
      const client = supervisor.get(Vault)
      const work = async (): Promise<void> => {
        await supervisor.load()
        await supervisor.start('vault', { secrets })
        for (let index = 0; index < 20; index++) {
          acknowledged.push((await client.rotateBarrier({ reencrypt: index === 3 })).term)
        }
      }
      const working = work()
      working.catch(() => {})
      if (round === rounds) {
        await working
        await supervisor.stopAll()
        break
      }
      await new Promise<void>((resolve) => void world.clock.after(5 + world.random.bytes(1)[0]! / 4, resolve))
      process.kill()
    }
    // By the keys of this world: no others verify what they sign
    last = await checked(await world.openFolder(HOST, '/audit'), world.startProcess(HOST).platform.keys)
  })
  const { findings, records, repaired, signatures } = last!
  assert.equal(findings, [], `seed ${seed}`)
  assert.ok(signatures > 0 && records.at(-1)!.kind === 'signature')
  const done = new Set(records.filter(({ method, outcome }) => method === 'rotateBarrier' && outcome === 'done')
    .map(({ about }) => about!['term']))
  assert.equal(acknowledged.filter((term) => !done.has(term)), [], `seed ${seed}: answered, and not recorded`)
  assert.equal(new Set(acknowledged).size, acknowledged.length)
  return { hash, repaired, told: acknowledged.length }
}

test('in a simulation that takes the power from it in the midst of writes, nothing answered is unrecorded', async () => {
  let [repaired, told] = [0, 0]
  for (let seed = 1; seed <= 4; seed++) {
    const run = await killedOften(seed, 25)
    repaired += run.repaired
    told += run.told
  }
  assert.ok(repaired >= 4, `writes that were cut off: ${repaired}`)
  assert.ok(told >= 200, `answers: ${told}`)
})

test('the same seed gives the same course', async () => {
  assert.is((await killedOften(7, 6)).hash, (await killedOften(7, 6)).hash)
})

test.run()
