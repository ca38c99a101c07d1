/** Killed at every documented step, and between them: the next `up` boots, and what was done is there once. */
import { createPublicKey } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { bootSequence } from '../boot/sequences.ts'
import type { World } from '../runtime/sim/simulate.ts'
import { runChild, twoAtATime } from './boot-fixtures/child.ts'
import { crashChild, type Report } from './boot-fixtures/crash-child.ts'
import { services } from './boot-fixtures/promises.ts'
import { bootIn, type SimulatedBoot, simulateZones } from './boot-fixtures/simulated.ts'
import { halfOf } from './commit.ts'

const CHILD = '--child'
const BOOT_MS_MAX = 30_000
/** From here on the store holds `boot/config`. */
const FIRST_WRITE = 4

/** One folder: boots that are killed, each at one of these points in turn, and then one that is not. */
interface Chain {
  readonly kills: readonly string[]
  /** The killed boots had made the first write. */
  readonly booted: boolean
}

const numbers = bootSequence.steps.map(({ number }) => number)
const everyStep: Chain = { kills: numbers.map((number) => `step ${number}`), booted: true }
/** Where most is at stake: around the one transaction, and with sessions half made. */
const stepsAlone: readonly Chain[] = [3, FIRST_WRITE, 5, 11].map((number) => (
  { kills: [`step ${number}`], booted: number >= FIRST_WRITE }
))
/** Operations of `up` on files of the folder, and what the vault says. */
const stepZero: Chain = {
  kills: [
    'after lock',
    'after owner.key',
    'after device.key',
    'after unseal.key',
    'before identity.json',
    'after identity.json',
    'after stores',
  ],
  booted: false,
}
const shares: readonly Chain[] = [
  'log Vault initialised',
  'before recovery-shares/share-1.txt',
  'before recovery-shares/share-4.txt',
  'after recovery-shares/share-5.txt',
].map((point) => ({ kills: [point], booted: false }))
const marker: Chain = { kills: ['before booted.json', 'after booted.json'], booted: true }

const everyTime = bootSequence.steps.filter(({ firstBootOnly }) => !firstBootOnly)
const stepNames = (secondBoot: boolean): string[] =>
  (secondBoot ? everyTime : bootSequence.steps)
    .flatMap(({ number, each }) => (each ? services.map((name) => `${number} ${name}`) : [String(number)])).sort()

const kidOf = async (path: string): Promise<string> =>
  calculateJwkThumbprint(createPublicKey(await readFile(path, 'utf8')).export({ format: 'jwk' }) as JWK)

/** @returns what is wrong in the end, in one line a fault */
async function crashAndBoot({ kills, booted }: Chain): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-crash-'))
  const faults: string[] = []
  const expect = (what: string, found: unknown, expected: unknown): void => {
    const [left, right] = [JSON.stringify(found), JSON.stringify(expected)]
    if (left !== right) faults.push(`killed at ${kills.join(', ')}: ${what}: ${left}, expected: ${right}`)
  }
  try {
    const told = new Set<string>()
    for (const point of kills) {
      const killed = await runChild([CHILD, folder, point], { msMax: BOOT_MS_MAX })
      expect(`how it ended at ${point}`, [killed.signal, killed.late, killed.noise], ['SIGKILL', false, ''])
      for (const { sid } of killed.lines) if (sid !== undefined) told.add(String(sid))
    }
    const again = await runChild([CHILD, folder, '', ...told], { msMax: BOOT_MS_MAX })
    expect('how the last boot ended', [again.code, again.late, again.noise], [0, false, ''])
    const report = again.lines.find((line) => 'report' in line)?.['report'] as Report | undefined
    if (!report) return [...faults, 'it does not boot again']
    expect('secondBoot', report.secondBoot, booted)
    expect('sessions from before', [...report.alive].sort(), [...told].sort())
    await checkReport(report, folder, expect)
  } finally {
    await rm(folder, { recursive: true })
  }
  return faults
}

async function checkReport(
  report: Report,
  folder: string,
  expect: (what: string, found: unknown, expected: unknown) => void,
): Promise<void> {
  expect('steps', [...report.steps].sort(), stepNames(report.secondBoot))
  expect('the zone', [report.boot.zone, report.boot.verifyHub.length, report.revision], ['zone.local', 1, 1])
  const [hubKid, ownerKid, deviceKid] = await Promise.all([
    calculateJwkThumbprint(report.boot.verifyHub[0] as JWK),
    kidOf(join(folder, 'owner.key')),
    kidOf(join(folder, 'device.key')),
  ])
  expect('trust', report.trust.map(({ kid, reason }) => `${reason} ${kid}`).sort(), [
    `boot-config.root ${ownerKid}`,
    `boot-config.verify-hub ${hubKid}`,
    `env ${deviceKid}`,
  ])
  expect('healthz', report.healthz, 200)
  const lost = report.warnings.some((text) => text.includes('recovery shares'))
  expect('all recovery shares, or else a warning', report.shares === 5, !lost)
  const names = await readdir(folder)
  expect('files beside the shares', names.filter((name) => name !== 'recovery-shares').sort(), [
    'audit',
    'booted.json',
    'device.key',
    'identity.json',
    'logs',
    'owner.key',
    'stores',
    'unseal.key',
  ])
}

const killTest = (title: string, chains: readonly Chain[]): void =>
  test(title, async () => {
    const faults: string[] = []
    assert.ok(chains.length > 0)
    await twoAtATime(chains, async (chain) => void faults.push(...await crashAndBoot(chain)))
    assert.equal(faults, [])
  })

const SEEDS = halfOf([1, 2])
const RANDOM_KILLS = 24
/** A first boot takes about a hundred. */
const BOOT_VIRTUAL_MS = 70

/** Boots on a fresh host and is killed; then boots there again. The zone keeps its identity, whatever happened. */
async function killAndBoot(
  world: World,
  host: string,
  kill: (end: () => void, boot: Parameters<Watch>[0]) => void,
): Promise<SimulatedBoot> {
  let killed = (): void => {}
  const death = new Promise<void>((resolve) => {
    killed = resolve
  })
  const first = bootIn(world, {
    host,
    watch: (trace, dying) =>
      kill(() => {
        dying.kill()
        killed()
      }, trace),
  }).then(async (boot) => {
    if (boot.error) throw new Error(`The first boot failed: ${boot.error.message}`)
    boot.process.kill()
  })
  await Promise.race([first, death])
  const again = await bootIn(world, { host })
  if (again.error) throw new Error(`${host} does not boot again: ${again.error.code} ${again.error.message}`)
  return again
}
type Watch = NonNullable<NonNullable<Parameters<typeof bootIn>[1]>['watch']>

async function checkBooted({ zone, steps, logs }: SimulatedBoot, host: string): Promise<void> {
  if (!zone) throw new Error(`${host} does not boot`)
  const names = steps.map((
    { number, evidence: { appid } },
  ) => (appid === undefined ? `${number}` : `${number} ${appid}`)).sort()
  assert.equal(names, stepNames(zone.secondBoot), host)
  const { phase, keys } = await zone.get(SystemConfig).trust({})
  assert.is(phase, 'normal', host)
  assert.equal(keys.map(({ reason }) => reason).sort(), ['boot-config.root', 'boot-config.verify-hub', 'env'], host)
  const root = keys.find(({ reason }) => reason === 'boot-config.root')
  assert.is(root?.issuer, 'root')
  const shares = await zone.files.list('recovery-shares')
  const lost = logs.some(({ message }) => message.includes('recovery shares'))
  assert.is(shares.length === 5, !lost, `${host}: all recovery shares, or else a warning`)
  await zone.stop()
}

function defineTests(): void {
  for (const seed of SEEDS) {
    test(`in simulation, killed at each step: seed ${seed}`, async () => {
      let booted = 0
      await simulateZones({ seed }, async (world) => {
        for (const number of numbers) {
          const host = `step-${number}`
          const boot = await killAndBoot(
            world,
            host,
            (end, trace) => trace.on('step', (event) => event.number === number && end()),
          )
          assert.is(boot.zone?.secondBoot, number >= FIRST_WRITE, host)
          await checkBooted(boot, host)
          booted++
        }
      })
      assert.is(booted, numbers.length)
    })
    test(`in simulation, killed at ${RANDOM_KILLS} other moments: seed ${seed}`, async () => {
      let second = 0
      await simulateZones({ seed }, async (world) => {
        for (let kill = 0; kill < RANDOM_KILLS; kill++) {
          const host = `moment-${kill}`
          const atMs = (BOOT_VIRTUAL_MS * kill) / RANDOM_KILLS
          const boot = await killAndBoot(world, host, (end) => world.clock.after(atMs, end))
          if (boot.zone?.secondBoot) second++
          await checkBooted(boot, host)
        }
      })
      assert.ok(second > 0 && second < RANDOM_KILLS, `some were killed before the first write, some after: ${second}`)
    })
  }
  killTest('killed at each step in turn, each boot comes further, and the last is whole', [
    everyStep, ...halfOf(stepsAlone),
  ])
  killTest('killed after each file of step 0, and around the booted marker, it boots again', [stepZero, marker])
  killTest(
    'killed before all recovery shares are written, it boots again, and does not hide that they are lost',
    halfOf(shares),
  )
  test.run()
}

const [flag, folder = '', point = '', ...sids] = process.argv.slice(2)
if (flag === CHILD) await crashChild(folder, point, sids)
else defineTests()
