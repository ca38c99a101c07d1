/**
 * What a person can get wrong: one line says what and where, another what to do; there is an exit code, and nothing
 * is half-written.
 */
import { mkdir, mkdtemp, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { exitCodes } from '../boot/errors.ts'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { type Attempt, badInputChild } from './boot-fixtures/bad-input-child.ts'
import {
  type BadInput,
  configs,
  copyOf,
  folders,
  harmless,
  removeFolder,
  stores,
  unwritable,
} from './boot-fixtures/bad-inputs.ts'
import { attempt, CHILD, CHILD_MS_MAX, judge } from './boot-fixtures/attempts.ts'
import { brokenModules } from './boot-fixtures/broken-modules.ts'
import { runChild } from './boot-fixtures/child.ts'
import { contentsOf, put, type Spoil } from './boot-fixtures/folders.ts'
import { bootIn, type SimulatedBoot, simulateZones } from './boot-fixtures/simulated.ts'
import type { VariantName } from './boot-fixtures/variants.ts'

// First, and in a suite of its own: what real workers leave to the collector springs traps of a simulation
const simulated = suite('in simulation')
const test = suite('in a folder')

const silent: readonly (readonly [variant: VariantName, code: string, message: RegExp])[] = [
  ['vaultNeverStarts', 'StartFailed', /^vault did not start within 30000 ms$/],
  ['serviceNeverStarts', 'StartFailed', /^service did not start within 30000 ms$/],
  ['serviceWithoutLoginToken', 'StartFailed', /missing steps: 10 service$/],
  ['bootSchedulerWithoutToken', 'StartFailed', /lacks SCHEDULER_SESSION_TOKEN/],
]

for (const [variant, code, message] of silent) {
  simulated(
    `an actor that never answers, or has lost its token, ends the boot in simulation: ${variant}`,
    async () => {
      let boot: SimulatedBoot | undefined
      await simulateZones({ seed: 9, variant }, async (world) => {
        boot = await bootIn(world)
        await boot.zone?.stop()
      })
      assert.is(boot?.error?.code, code, boot?.error?.message)
      assert.ok(message.test(boot?.error?.message ?? ''), boot?.error?.message)
      assert.is(exitCodes[code], 11)
    },
  )
}

let root = ''
/** Folders of two zones that have booted and were stopped; both have the default names. */
let booted = ''
let other = ''
let made = 0
const newFolder = (): string => join(root, String(++made))

async function bootOnce(folder: string): Promise<string> {
  const zone = await up({ platform: await openPlatform(), folder })
  await zone.stop()
  return folder
}

/** Each in a folder of its own; nothing of it has changed afterwards. */
async function refuse(inputs: readonly BadInput[], prepare: (spoil: Spoil) => Promise<string>): Promise<void> {
  assert.ok(inputs.length > 0)
  const attempts: Attempt[] = []
  const before: Awaited<ReturnType<typeof contentsOf>>[] = []
  for (const { spoil, actors } of inputs) {
    const folder = await prepare(spoil)
    attempts.push({ folder, ...(actors ? { actors } : {}) })
    before.push(await contentsOf(folder))
  }
  const outcomes = await attempt(attempts)
  const faults: string[] = []
  for (const [index, input] of inputs.entries()) {
    faults.push(...judge(outcomes[index], input))
    const after = JSON.stringify(await contentsOf(attempts[index]!.folder))
    if (after !== JSON.stringify(before[index])) {
      faults.push(`${input.name}: the folder is now ${after}, was ${JSON.stringify(before[index])}`)
    }
  }
  assert.equal(faults, [])
}

const spoilt = (spoil: Spoil): Promise<string> => copyOf(booted, newFolder(), spoil)

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'zonewright-bad-input-'))
  booted = await bootOnce(newFolder())
  other = await bootOnce(newFolder())
})
test.after(() => removeFolder(root))

test('a zone.yaml that is wrong is refused with its line, and nothing is made', () =>
  refuse(configs, async (spoil) => {
    const folder = newFolder()
    await mkdir(folder)
    await spoil(folder)
    return folder
  }))

test('a folder that cannot be written is refused', async () => {
  const places = await Promise.all(unwritable.map(({ at }) => at(newFolder())))
  const outcomes = await attempt(places.map((folder) => ({ folder })))
  assert.equal(
    outcomes.flatMap((outcome, index) =>
      judge(outcome, {
        name: unwritable[index]!.name,
        code: 'NotWritable',
        exit: 4,
        message: new RegExp(`cannot be .*${places[index]}`),
        next: /folder/,
      })
    ),
    [],
  )
})

test('a folder that is in use is refused, and the zone that uses it goes on', async () => {
  const folder = await spoilt(async () => {})
  const zone = await up({ platform: await openPlatform(), folder })
  try {
    const before = await contentsOf(folder)
    const [outcome] = await attempt([{ folder }])
    assert.equal(
      judge(outcome, {
        name: 'in use',
        code: 'FolderInUse',
        exit: 5,
        message: new RegExp(`process ${process.pid} `),
        next: /Stop that process/,
      }),
      [],
    )
    assert.equal(await contentsOf(folder), before)
    const response = await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)
    assert.is(await response.text(), 'ok\n')
  } finally {
    await zone.stop()
  }
})

test('a folder of another zone, host or owner, or with a damaged file, is refused and left alone', () =>
  refuse(folders(() => other), spoilt))

test('a vault that cannot be opened, and a store that is damaged, emptied or of another zone, are refused', () =>
  refuse(stores(() => other), spoilt))

test('what was wrong and is put right boots: nothing was half-written', async () => {
  const names = ['unseal.key gone', 'the store of system-config gone', 'the store of the vault gone']
  const inputs = stores(() => other).filter(({ name }) => names.includes(name))
  assert.is(inputs.length, names.length)
  const folder = await spoilt(async () => {})
  for (const { spoil, actors = [], code } of inputs) {
    await spoil(folder)
    const [refused] = await attempt([{ folder, actors }])
    assert.is(refused?.code, code)
    for (const part of ['unseal.key', 'stores']) {
      await removeFolder(join(folder, part))
      await copyOf(join(booted, part), join(folder, part), async () => {})
    }
  }
  const [again] = await attempt([{ folder }])
  assert.equal([again?.code, again?.zone?.secondBoot, again?.message], ['booted', true, ''])
})

test('what a zone can do without does not keep it from booting', async () => {
  const places = await Promise.all(harmless.map(({ spoil }) => spoilt(spoil)))
  const outcomes = await attempt(places.map((folder) => ({ folder })))
  assert.equal(
    outcomes.map(({ code, zone, message }, index) =>
      `${harmless[index]!.name}: ${code} ${zone?.secondBoot} ${message}`
    ),
    harmless.map(({ name }) => `${name}: booted true `),
  )
})

test('a step 0 that was not finished asks for the passphrase of its owner key', async () => {
  const [whole, half] = [newFolder(), newFolder()]
  const [first] = await attempt([{ folder: whole, ownerPassphrase: 'correct horse' }])
  assert.is(first?.code, 'booted')
  const key = await readFile(join(whole, 'owner.key'), 'utf8')
  assert.match(key, /ENCRYPTED PRIVATE KEY/)
  await mkdir(half)
  await put('owner.key', key)(half)
  const outcomes = await attempt([{ folder: half }, { folder: half, ownerPassphrase: 'wrong' }, {
    folder: half,
    ownerPassphrase: 'correct horse',
  }])
  const needed = {
    code: 'OwnerKeyNeeded',
    exit: 15,
    message: /passphrase of .* is missing or wrong/,
    next: /--owner-passphrase-file/,
  }
  assert.equal([
    ...judge(outcomes[0], { name: 'none', ...needed }),
    ...judge(outcomes[1], { name: 'wrong', ...needed }),
  ], [])
  assert.is(outcomes[2]?.code, 'booted')
})

test('a pinned port that is taken is refused, and the folder boots once it is free', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const folder = newFolder()
  await mkdir(folder)
  await put('zone.yaml', `http:\n  port: ${port}\n`)(folder)
  const [outcome] = await attempt([{ folder }])
  await new Promise((resolve) => server.close(resolve))
  const message = new RegExp(`port is in use: ${port}`)
  assert.equal(judge(outcome, { name: 'port', code: 'PortInUse', exit: 12, message, next: /port/ }), [])
  const [again] = await attempt([{ folder }])
  assert.equal([again?.code, again?.zone?.secondBoot], ['booted', true])
})

test('an address that this machine has not is refused by name, and boots once it is put right', async () => {
  const folder = newFolder()
  await mkdir(folder)
  // For documentation (RFC 5737): nobody has it
  await put('zone.yaml', 'http:\n  hostname: 192.0.2.1\n')(folder)
  const [outcome] = await attempt([{ folder }])
  const expected = { name: 'address', code: 'AddressNotLocal', exit: 12, message: /192\.0\.2\.1/, next: /config/ }
  assert.equal(judge(outcome, expected), [])
  await put('zone.yaml', 'http:\n  hostname: 127.0.0.1\n')(folder)
  const [again] = await attempt([{ folder }])
  assert.equal([again?.code, again?.zone?.secondBoot], ['booted', true])
})

test('an actor that does not start ends the boot by its name, and the folder boots with the right one', async () => {
  const folder = newFolder()
  const attempts = brokenModules.map(({ actor, module }): Attempt => ({ folder, modules: { [actor]: module.href } }))
  const outcomes = await attempt([...attempts, { folder }])
  assert.equal(brokenModules.flatMap((each, index) => judge(outcomes[index], each)), [])
  assert.equal([outcomes.at(-1)?.code, outcomes.at(-1)?.message], ['booted', ''])
})

test('a forged login token is denied, and the service gets another from its node daemon', async () => {
  const module = new URL('./boot-fixtures/service-with-forged-token.ts', import.meta.url)
  const [outcome] = await attempt([{ folder: newFolder(), modules: { service: module.href } }])
  assert.equal([outcome?.code, outcome?.message], ['booted', ''])
  assert.ok((outcome?.denials ?? 0) >= 1, 'the denial is told')
})

const onDeno = 'Deno' in globalThis
const cli = onDeno ? ['run', '-A', '--unstable-worker-options', 'boot/cli.ts'] : ['boot/bin.mjs']

test('the command line says it shortly, exits with the code, and shows a stack only with --debug', async () => {
  const names = [
    'identity.json cut',
    'the store of system-config gone',
    'the log of system-config with a byte changed',
  ]
  const inputs = [...folders(() => other), ...stores(() => other)].filter(({ name }) => names.includes(name))
  assert.is(inputs.length, names.length)
  for (const { name, spoil, exit, message } of inputs) {
    const folder = await spoilt(spoil)
    const ended = await runChild(['up', '--once', '--dir', folder], { msMax: CHILD_MS_MAX, before: cli })
    const lines = ended.noise.split('\n')
    const from = lines.findIndex((line) => line.startsWith('error: '))
    assert.equal([ended.code, ended.late], [exit, false], `${name}\n${ended.noise}`)
    assert.match(lines[from] ?? '', message, name)
    assert.ok(lines.slice(from + 1).length <= 2 && lines.at(-1)?.startsWith('  next:  '), `${name}\n${ended.noise}`)
    assert.not.match(ended.noise, /^\s+at /m, name)
  }
  const debug = await runChild(['up', '--once', '--debug', '--dir', await spoilt(inputs[0]!.spoil)], {
    msMax: CHILD_MS_MAX,
    before: cli,
  })
  assert.match(debug.noise, /^\s+at /m)
})

test('files of a zone are for its owner only', async () => {
  const modes = await Promise.all(
    ['owner.key', 'device.key', 'unseal.key', 'identity.json', 'booted.json', 'recovery-shares', 'stores']
      .map(async (name) => ((await stat(join(booted, name))).mode & 0o077)),
  )
  assert.equal(modes, modes.map(() => 0))
})

const [flag, attempts = '[]'] = process.argv.slice(2)
if (flag === CHILD) await badInputChild(JSON.parse(attempts) as Attempt[])
else {
  simulated.run()
  test.run()
}
