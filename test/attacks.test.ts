import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { attempts, prove, type Proof, type ProofResult } from '../boot/prove.ts'
import { judge, type Attempt } from '../boot/prove/judge.ts'
import { APPID, Scene, scratchKey } from '../boot/prove/scene.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { DeadlineExceeded, Denied, ZonewrightError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/index.ts'

const platform = await openPlatform()
const folder = mkdtempSync(join(tmpdir(), 'zonewright-attacks-'))
let zone: RunningZone
let first: Proof

/** uvu shows `details` of an error as a difference of values, and not the error. */
async function plainly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ZonewrightError) throw new Error(`${error.code}: ${error.message}\n${error.stack}`)
    throw error
  }
}

const said = ({ name, group, outcome, code, reason }: ProofResult): string =>
  `${group}: ${name}: ${outcome} ${code} ${reason}`
const wrong = ({ results }: Proof): string[] => results.filter(({ ok }) => !ok).map(said)

const attacks = suite('attacks on a running zone')

attacks.before(() => plainly(async () => {
  zone = await up({ platform, folder })
  first = await prove(zone, platform)
}))
attacks.after(async () => {
  await zone?.stop()
  rmSync(folder, { recursive: true, force: true })
})

for (const { name, group, expected } of attempts) {
  const verdict = expected === 'allowed' ? 'allowed' : `${expected.code} ${expected.reason}`.trim()
  attacks(`${group}: ${name}: ${verdict}`, () => {
    const result = first.results.find((each) => each.name === name)
    assert.ok(result, 'it was not tried')
    const wanted = expected === 'allowed'
      ? { expected: 'allowed', outcome: 'allowed', code: '', reason: '' }
      : { expected: 'denied', outcome: 'denied', ...expected }
    assert.equal(result, { name, group, ...wanted, ok: true })
  })
}

attacks('every attempt has a name of its own and is told of once, in order', async () => {
  const names = attempts.map(({ name }) => name)
  assert.is(new Set(names).size, names.length)
  assert.equal(first.results.slice(0, names.length).map(({ name }) => name), names)
})

attacks('afterwards every actor is the incarnation that it was, and nothing is left behind', () => {
  assert.equal(first.results.slice(attempts.length).map(said), [
    'allowed: No attack brought an actor down: allowed  ', 'allowed: The proof leaves nothing behind: allowed  ',
  ])
  assert.equal([first.passed, first.failed], [first.results.length, 0])
})

attacks('a second proof, and one after a second boot, give the same', () => plainly(async () => {
  const heard: ProofResult[] = []
  const second = await prove(zone, platform, (result) => heard.push(result))
  assert.equal(wrong(second), [])
  assert.equal(heard, second.results)
  await zone.stop()
  zone = await up({ platform, folder })
  assert.ok(zone.secondBoot)
  assert.equal(wrong(await prove(zone, platform)), [])
}))

/** What the judge says of something that is not as an attempt says. */
const judged = (attempt: Omit<Attempt, 'name' | 'group'>): Promise<ProofResult> => plainly(async () => {
  const scene = new Scene(zone, platform)
  const result = await judge({ name: 'control', group: 'policy', ...attempt }, scene)
  await scene.clear()
  scene.hangUp()
  return result
})
const noRule = { code: 'Denied', reason: 'rbac/no-rule' }
const verdict = ({ outcome, reason, ok }: ProofResult) => ({ outcome, reason, ok })

attacks('an attack that gets in is a failure', async () => {
  const result = await judged({ expected: noRule, prepare: async (scene) => () => scene.read('boot/config') })
  assert.equal(verdict(result), { outcome: 'allowed', reason: '', ok: false })
})

attacks('an attack that is refused, but after its write, is a failure', async () => {
  const result = await judged({
    expected: noRule, untouched: () => [scratchKey],
    async prepare(scene) {
      const { sessionToken: token } = await scene.session(APPID, ['system-config'])
      const { client } = await scene.connect(SystemConfig)
      return async () => {
        await client.set({ key: scratchKey, value: 'done' }, { token })
        throw new Denied('Too late', { reason: 'rbac/no-rule' })
      }
    },
  })
  assert.equal(verdict(result), { outcome: 'allowed', reason: `written: ${scratchKey}`, ok: false })
})

attacks('an attack that is refused for another reason is a failure', async () => {
  const result = await judged({
    expected: noRule, prepare: async (scene) => () => scene.zone.get(SystemConfig).get({ key: 'boot/config' }),
  })
  assert.equal(verdict(result), { outcome: 'denied', reason: 'token/absent', ok: false })
})

attacks('an attack that nobody answers is a failure', async () => {
  const result = await judged({
    expected: { code: 'DeadlineExceeded', reason: '' },
    prepare: async () => () => Promise.reject(new DeadlineExceeded('Nobody answers')),
  })
  assert.equal(verdict(result), { outcome: 'error', reason: 'Nobody answers', ok: false })
})

attacks('a refusal of what an attack prepares is a failure', async () => {
  const result = await judged({
    expected: noRule, prepare: () => Promise.reject(new Denied('Not you', { reason: 'rbac/no-rule' })),
  })
  assert.equal(verdict(result), { outcome: 'error', reason: 'before the attempt: Not you', ok: false })
})

attacks('an allowed call that is refused is a failure', async () => {
  const result = await judged({
    expected: 'allowed', prepare: async (scene) => () => scene.zone.get(SystemConfig).get({ key: 'boot/config' }),
  })
  assert.equal(verdict(result), { outcome: 'denied', reason: 'token/absent', ok: false })
})

attacks.run()
