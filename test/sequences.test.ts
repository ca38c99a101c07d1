/** The documented boot, step by step: marked by its receiver with evidence, and true whether or not it is marked. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../actors/boot-steps.ts'
import { catalogue } from '../boot/catalogue.ts'
import { bootSequence } from '../boot/sequences.ts'
import { type Progress, type RunningZone, up } from '../boot/up.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace, type StepEvent } from '../runtime/trace.ts'
import { look, onDisk, running, type Seen } from './boot-fixtures/effects.ts'
import { evidence, nameOf, order, services } from './boot-fixtures/promises.ts'
import { removedEffects } from './boot-fixtures/removed-effects.ts'
import { bootIn, type SimulatedBoot, simulateZones } from './boot-fixtures/simulated.ts'
import type { VariantName } from './boot-fixtures/variants.ts'
import { type Disk, readDisk } from './boot-fixtures/zone-disk.ts'

/**
 * Simulations come first: once a real worker has ended, the collector may run its proxy's finalizer at any moment,
 * and that uses globals that are traps in a simulation.
 */
const simulated = suite('in simulation')
const real = suite('in a folder')

const numbers = bootSequence.steps.map(({ number }) => number)
const countOf = (steps: readonly StepEvent[], number: number): number =>
  steps.filter((event) => event.number === number).length

/** Receivers by name, and what they told, for comparing two boots. */
const shapeOf = (steps: readonly StepEvent[]): string[] =>
  steps.map((event) => `${nameOf(event)} at ${event.actor}: ${Object.keys(event.evidence).sort().join(' ')}`).sort()

const bootsSimulated: SimulatedBoot[] = []
simulated('a zone boots twice', async () => {
  await simulateZones({ seed: 11, keys: 'real' }, async (world) => {
    for (let count = 0; count < 2; count++) {
      const boot = await bootIn(world)
      bootsSimulated.push(boot)
      await boot.zone?.stop()
    }
  })
  assert.equal(bootsSimulated.map(({ zone, error }) => zone?.secondBoot ?? error?.message), [false, true])
})

for (const { variant, absent, present, code, message } of removedEffects) {
  simulated(`no mark without its effect, in simulation: ${variant}`, async () => {
    let boot: SimulatedBoot | undefined
    await simulateZones({ seed: 5, variant }, async (world) => {
      boot = await bootIn(world)
      await boot.zone?.stop()
    })
    check({ steps: boot?.steps ?? [], error: boot?.error }, { absent, present, code, message })
  })
}

simulated('every documented step is missing in one of these', () => {
  const absent = new Set(removedEffects.flatMap((each) => each.absent).map((name) => Number(name.split(' ')[0])))
  assert.equal([...absent].sort((a, b) => a - b), [...numbers].sort((a, b) => a - b))
})

const platform = await openPlatform()
const folder = await mkdtemp(join(tmpdir(), 'zonewright-sequences-'))
const first: StepEvent[] = []
const told: string[] = []
let zone: RunningZone
let seen: Seen
let disk: Disk

real.before(async () => {
  const trace = createTrace()
  trace.on('*', (type, event) => void told.push(`${String(type)} ${JSON.stringify(event)}`))
  zone = await up({ platform, folder, trace })
  first.push(...zone.steps())
  seen = await look(zone, folder)
})
real.after(() => rm(folder, { recursive: true }))

real('every documented step is marked, once, and once for each service where it says so', () => {
  for (const { number, each } of bootSequence.steps) {
    assert.is(countOf(first, number), each ? services.length : 1, `step ${number}`)
  }
  assert.equal(
    [...new Set(first.map(({ number }) => number))].sort((a, b) => a - b),
    [...numbers].sort((a, b) => a - b),
  )
  assert.ok(first.every(({ sequence, host }) => sequence === 'boot' && host === 'ood1'))
})

for (const { number, to, what } of bootSequence.steps) {
  real(`step ${number} is marked by its receiver, with evidence: ${to} ${what}`, () => {
    const marks = first.filter((event) => event.number === number)
    assert.ok(marks.length > 0)
    for (const { actor, evidence: given } of marks) {
      if (to === 'service') assert.is(actor, given['appid'])
      else assert.is(actor, to)
      assert.equal(Object.keys(given).sort(), evidence[number])
      for (const [name, value] of Object.entries(given)) assert.is.not(value, '', name)
    }
  })
}

real('the steps of a service are those of all services that log in', () => {
  for (const { number } of bootSequence.steps.filter(({ each }) => each)) {
    const appids = first.filter((event) => event.number === number).map((event) => event.evidence['appid'])
    assert.equal(appids.sort(), [...services], `step ${number}`)
  }
})

real('the steps happen in the documented order', () => {
  const at = new Map(first.map((event) => [nameOf(event), event.at]))
  for (const { before, after } of order) {
    const [left, right] = [at.get(before), at.get(after)]
    assert.ok(left !== undefined && right !== undefined, `${before} and ${after} are marked`)
    assert.ok(left <= right, `${before} before ${after}: ${left}, ${right}`)
  }
})

real('ids in the evidence are those of the keys in the folder and in boot/config', () => {
  const kidOf = (number: number) => first.find((event) => event.number === number)?.evidence['kid']
  for (
    const number of [
      bootStep.trustKeyReceived,
      bootStep.bootTokenReceived,
      bootStep.firstWrite,
      bootStep.deviceSession,
    ]
  ) {
    assert.is(kidOf(number), seen.device.kid, `step ${number}`)
  }
  const { vaultKeyEnsured, vaultKeyRead, verifyHubSession, verifyHubKeyLoaded, serviceSession } = bootStep
  for (const number of [vaultKeyEnsured, vaultKeyRead, verifyHubSession, verifyHubKeyLoaded, serviceSession]) {
    assert.is(kidOf(number), seen.hubKid, `step ${number}`)
  }
})

real('nothing that is told holds a token or a private key', async () => {
  const secrets = await Promise.all(
    ['owner.key', 'device.key', 'unseal.key'].map((name) => readFile(join(folder, name), 'utf8')),
  )
  const lines = secrets.flatMap((text) => text.split('\n')).filter((line) =>
    line.length > 20 && !line.includes('-----')
  )
  assert.is(lines.length, secrets.length)
  assert.ok(told.length > first.length)
  for (const text of told) {
    assert.not.match(text, /PRIVATE/)
    assert.not.match(text, /eyJ[\w-]+\.[\w-]+\.[\w-]*/)
    assert.ok(!lines.some((line) => text.includes(line)), text)
  }
})

real('each step has an effect that is checked without the trace', () => {
  const checked = new Set([...Object.keys(running), ...Object.keys(onDisk)].map(Number))
  assert.equal([...checked].sort((a, b) => a - b), [...numbers].sort((a, b) => a - b))
})

for (const [number, check] of Object.entries(running)) {
  real(`the effect of step ${number} is there, asked of the running zone`, () => check(seen))
}

real('a second boot does without what the first one did for good, and says so', async () => {
  await zone.stop()
  disk = await readDisk(folder)
  const progress: Progress[] = []
  const second = await up({ platform, folder, onProgress: (each) => void progress.push(each) })
  const steps = [...second.steps()]
  const bootScheduler = second.list().find(({ name }) => name === 'boot-scheduler')
  await second.stop()
  assert.is(second.secondBoot, true)
  assert.is(bootScheduler?.reason, 'not started')
  const skipped = progress.find(({ type }) => type === 'boot-skipped')
  assert.equal(skipped, { type: 'boot-skipped', revision: 1 })
  for (const { number, each, firstBootOnly } of bootSequence.steps) {
    assert.is(countOf(steps, number), firstBootOnly ? 0 : each ? services.length : 1, `step ${number}`)
  }
  assert.is(steps.find(({ number }) => number === bootStep.normalPhase)?.evidence['firstBoot'], false)
})

for (const [number, check] of Object.entries(onDisk)) {
  real(`the effect of step ${number} is there, read from the disk`, () => check(disk, seen))
}

real('the simulated boot marks the same steps, with the same kind of evidence', () => {
  const everyTime = bootSequence.steps.filter(({ firstBootOnly }) => !firstBootOnly).map(({ number }) => number)
  const [one, two] = bootsSimulated
  assert.equal(shapeOf(one?.steps ?? []), shapeOf(first))
  assert.equal(shapeOf(two?.steps ?? []), shapeOf(first.filter(({ number }) => everyTime.includes(number))))
})

/** On real workers an actor of the catalogue is replaced by its module. */
const replaced: readonly { readonly actor: string; readonly variant: VariantName; readonly module: URL }[] = [
  {
    actor: 'vault',
    variant: 'vaultKeepsNoKey',
    module: new URL('./boot-fixtures/vault-keeps-no-key.ts', import.meta.url),
  },
  {
    actor: 'vault',
    variant: 'vaultGivesAnotherKey',
    module: new URL('./boot-fixtures/vault-gives-another-key.ts', import.meta.url),
  },
  {
    actor: 'gateway',
    variant: 'gatewayCannotListen',
    module: new URL('./boot-fixtures/gateway-cannot-listen.ts', import.meta.url),
  },
]

for (const { actor, variant, module } of replaced) {
  real(`no mark without its effect, on real workers: ${variant}`, async () => {
    const own = await mkdtemp(join(tmpdir(), 'zonewright-sequences-'))
    const trace = createTrace()
    const steps: StepEvent[] = []
    trace.on('step', (event) => void steps.push(event))
    const actors: typeof catalogue = (stores, config) =>
      catalogue(stores, config).map((spec) => (spec.protocol.name === actor ? { ...spec, module } : spec))
    try {
      const error = await up({ platform, folder: own, trace, actors })
        .then((booted) => booted.stop(), (thrown: unknown) => thrown as ZonewrightError)
      check({ steps, error: error ?? undefined }, removedEffects.find((each) => each.variant === variant)!)
    } finally {
      await rm(own, { recursive: true })
    }
  })
}

function check(
  boot: { steps: readonly StepEvent[]; error: ZonewrightError | undefined },
  expected: { absent: readonly string[]; present: readonly string[]; code: string; message: RegExp },
): void {
  const marked = new Set(boot.steps.map(nameOf))
  assert.equal(expected.absent.filter((name) => marked.has(name)), [], 'marked, but it did not happen')
  assert.equal(expected.present.filter((name) => !marked.has(name)), [], 'it happened, but is not marked')
  // An error of ours would break uvu's report: what it says is compared
  assert.is(boot.error?.code, expected.code, boot.error?.message)
  assert.ok(expected.message.test(boot.error?.message ?? ''), boot.error?.message)
}

simulated.run()
real.run()
