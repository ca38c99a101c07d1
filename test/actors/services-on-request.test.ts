/** Services that a zone gets because its config asks for them: also one that was made without. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ServiceSpec } from '../../actors/records.ts'
import { builtInChanges, firstServices, servicesOf } from '../../actors/scheduler/built-in.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { inBoots, type LiveZone } from './live-zone.ts'

type Spec = Infer<typeof ServiceSpec>
const dns = { dns: { port: 5_353 } }

const spec = async (live: LiveZone, name: string): Promise<Spec | undefined> => {
  const text = await live.read(`services/${name}/spec`)
  return text === undefined ? undefined : JSON.parse(text) as Spec
}
async function until(live: LiveZone, what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 250) {
    if (await look()) return
    await live.pause(250)
  }
  throw new Error(`It did not happen: ${what}`)
}
const serving = (live: LiveZone, name: string) => until(live, `${name} serves`, () => live.state(name) === 'serving')

test('a service is there when the config asks for it, and one that was stopped stays so', async () => {
  await inBoots(async (boot) => {
    const first = await boot()
    assert.equal([first.state('cert-manager'), first.state('dns')], ['serving', ''])
    assert.is(await spec(first, 'dns'), undefined)
    await first.zone.stop()

    const second = await boot({ config: dns })
    await serving(second, 'dns')
    assert.equal((await spec(second, 'dns'))?.audiences, ['system-config'])
    const before = await second.read('services/dns/spec')
    await second.set('services/dns/spec', { ...await spec(second, 'dns'), state: 'stopped' })
    await until(second, 'it stops', () => second.state('dns') === 'stopped')
    await second.zone.stop()

    const third = await boot({ config: dns })
    await third.pause(40_000)
    assert.equal([third.state('dns'), (await spec(third, 'dns'))?.state], ['stopped', 'stopped'])
    await third.zone.stop()

    const fourth = await boot()
    await fourth.pause(40_000)
    assert.is((await spec(fourth, 'dns'))?.state, 'stopped', 'who does not ask for it takes it from nobody')
    await fourth.remove('services/dns/spec')
    await until(fourth, 'the operator has removed it', () => fourth.state('dns') === '')
    await fourth.zone.stop()

    const fifth = await boot({ config: dns })
    await serving(fifth, 'dns')
    assert.is(await fifth.read('services/dns/spec'), before)
    await fifth.zone.stop()
  }, {}, { config: dns })
})

test('a zone that an earlier release made gets what it lacks, and the console may ask the new services', async () => {
  await inBoots(async (boot) => {
    const first = await boot()
    await first.remove('services/cert-manager/spec')
    const console = await spec(first, 'console')
    const audiences = ['system-config', 'node-daemon', 'scheduler', 'verify-hub']
    await first.set('services/console/spec', { ...console, audiences, generation: 3 })
    await until(first, 'it stops', () => first.state('cert-manager') === 'stopped')
    await first.pause(40_000)
    assert.is(await spec(first, 'cert-manager'), undefined, 'what is removed stays so until the next start')
    await first.zone.stop()

    const second = await boot()
    await serving(second, 'cert-manager')
    const after = await spec(second, 'console')
    assert.equal(after, { ...console, generation: 3 })
    assert.ok(second.logs.some(({ actor, message }) => actor === 'scheduler' && /brought up to date/.test(message)))
    await second.zone.stop()

    const third = await boot()
    await serving(third, 'cert-manager')
    await third.pause(40_000)
    assert.is(third.logs.some(({ message }) => /brought up to date/.test(message)), false, 'once is enough')
    await third.zone.stop()
  })
})

test('what an operator made of a spec is left alone, and so is what only has the name', () => {
  const own = (name: string) => servicesOf(new Set([name])).find((each) => each.name === name)!
  const keyed = (...specs: readonly object[]) =>
    new Map(specs.map((each) => [`services/${(each as Spec).name}/spec`, JSON.stringify(each)]))
  const changes = (asked: readonly string[] | undefined, ...specs: readonly object[]) =>
    [...builtInChanges(keyed(...specs), asked && new Set(asked)).keys()]
  const consoleApp = firstServices.find(({ name }) => name === 'console')!
  assert.equal(changes(['dns'], consoleApp), ['services/dns/spec'])
  assert.equal(changes(['dns'], { ...own('dns'), replicas: 2, generation: 9 }), [])
  assert.equal(changes([], own('dns')), [], 'another OOD asks for it')
  assert.equal(changes(['dns'], { ...own('dns'), kernel: false, runtimeType: 'service' }), [], 'somebody else’s')
  assert.equal(changes(['dns'], { ...own('dns'), run: { command: ['/usr/sbin/named'] } }), [], 'a program of that name')
  assert.equal(changes(undefined, own('dns'), consoleApp), [], 'the ENV says nothing of them')
  assert.equal(changes([], { ...consoleApp, audiences: ['system-config'] }), [], 'it was taken away on purpose')
})

test.run()
