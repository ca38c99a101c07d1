/** Services as users of their own: what only a zone that runs as root can give them, and what it keeps from them. */
import { lstatSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runChild } from './boot-fixtures/child.ts'
import {
  asRoot, chmodSync, env, existsSync, fault, has, isAlive, join, mkdirSync, mkdtempSync, PATH, rmSync, SH, shell,
  tmpdir, until, withProcesses, writeFileSync,
} from './processes-fixture.ts'

const test = suite('the user of a process')
/** As another user than root the zone starts these as itself: that is a test of its own. */
const rooted = asRoot ? test : (() => {}) as unknown as typeof test
const range = { from: 61_184, to: 65_519 }
const NOBODY = 65_534

/** A zone's folder: 0700, with keys beside the folder of services. */
async function inZoneFolder(run: (keep: string) => Promise<void>): Promise<void> {
  const keep = mkdtempSync(join(tmpdir(), 'zonewright-user-'))
  try {
    chmodSync(keep, 0o700)
    for (const name of ['device.key', 'owner.key']) writeFileSync(join(keep, name), `planted ${name}`, { mode: 0o600 })
    mkdirSync(join(keep, 'stores'), { mode: 0o700 })
    writeFileSync(join(keep, 'stores', 'log'), 'planted log', { mode: 0o600 })
    await run(keep)
  } finally {
    rmSync(keep, { recursive: true, force: true })
  }
}

rooted('is its own, for good, and its folder is too', () => inZoneFolder(async (keep) => {
  const ids = new Map<string, number>()
  for (let round = 0; round < 2; round++) {
    await withProcesses(async ({ processes, folder }) => {
      for (const name of ['alpha', 'beta']) {
        await processes.start(name, shell('id -u > id; id -G >> id; exec sleep 60'), env())
        const path = join(folder, name, 'id')
        await until(() => has(path), 'its user')
        const [uid, groups] = readFileSync(path, 'utf8').trim().split('\n').map(Number)
        assert.ok(uid! >= range.from && uid! <= range.to, String(uid))
        assert.is(groups, uid, 'no group but its own')
        assert.is(ids.get(name) ?? uid, uid, 'the same after a restart')
        ids.set(name, uid!)
        const info = lstatSync(join(folder, name))
        assert.equal([info.uid, info.gid, info.mode & 0o777], [uid, uid, 0o700])
      }
      const ledger = lstatSync(join(folder, 'processes.json'))
      assert.equal([ledger.uid, ledger.mode & 0o777], [0, 0o600])
    }, { keep })
  }
  assert.is(new Set(ids.values()).size, 2)
}))

rooted('cannot read the keys of the zone, its stores, nor what another service has written', () =>
  inZoneFolder(async (keep) => {
    await withProcesses(async ({ processes, folder }) => {
      await processes.start('alpha', shell('echo private > mine; exec sleep 60'), env())
      await until(() => has(join(folder, 'alpha', 'mine')), 'something to read')
      const targets = [
        join(keep, 'device.key'), join(keep, 'owner.key'), join(keep, 'stores', 'log'), join(folder, 'processes.json'),
        join(folder, 'alpha', 'mine'), '../../device.key', '../../owner.key', '../alpha/mine', '../processes.json',
        `/proc/${process.pid}/environ`, `/proc/${process.pid}/root${keep}/device.key`,
        `/proc/${processes.list()[0]!.processId}/environ`, `/proc/${processes.list()[0]!.processId}/cwd/mine`,
      ]
      // Each could be read, if it were not for the user
      for (const target of targets.filter((each) => each.startsWith('/'))) assert.ok(readFileSync(target), target)
      const tries = targets.map((each) => `cat "${each}" && echo "READ ${each}"; ls "${each}" && echo "SEEN"`)
      const script = `{ ${tries.join('; ')}; ls "${keep}"; ls ../; } > got 2> refused; `
        + 'echo kept > own; cat own > back; kill -9 $PPID; echo done > done; exec sleep 60'
      await processes.start('beta', shell(script), env())
      const at = (name: string) => readFileSync(join(folder, 'beta', name), 'utf8')
      await until(() => existsSync(join(folder, 'beta', 'done')), 'tried all')
      assert.is(at('back'), 'kept\n', 'its own folder is its own, though no path leads there from above')
      assert.not.match(at('got'), /READ|planted|private|device\.key$/m)
      assert.ok(at('refused').split('\n').length > targets.length, at('refused'))
    }, { keep })
  }))

rooted('cannot be raised by a program that would run as root', () => inZoneFolder(async (keep) => {
  await withProcesses(async ({ processes, folder }) => {
    const script = 'grep -E "NoNewPrivs|CapEff|CapPrm|CapAmb|Groups" /proc/self/status > status; exec sleep 60'
    await processes.start('alpha', shell(script), env())
    await until(() => has(join(folder, 'alpha', 'status')), 'its rights')
    const status = readFileSync(join(folder, 'alpha', 'status'), 'utf8')
    assert.match(status, /NoNewPrivs:\s+1/)
    for (const name of ['CapEff', 'CapPrm', 'CapAmb']) assert.match(status, new RegExp(`${name}:\\s+0+$`, 'm'))
    assert.match(status, /Groups:\s*$/m)
  }, { keep })
}))

rooted('ends with the service: whatever it runs elsewhere, without its environment, ends too', () =>
  inZoneFolder(async (keep) => {
    await withProcesses(async ({ processes, folder }) => {
      const script = 'setsid env -i sh -c "echo \\$\\$ > hidden; exec sleep 600" & '
        + 'while ! test -s hidden; do sleep 0.02; done; wait'
      await processes.start('alpha', shell(script, { stopMs: 300 }), env())
      await until(() => has(join(folder, 'alpha', 'hidden')), 'hidden')
      const id = Number(readFileSync(join(folder, 'alpha', 'hidden'), 'utf8'))
      assert.ok(isAlive(id))
      await processes.stop('alpha')
      assert.not(isAlive(id))
    }, { keep })
  }))

rooted('is not shared with a program of another on this machine', () => inZoneFolder(async (keep) => {
  const uid = 61_999
  mkdirSync(join(keep, 'services'), { mode: 0o700 })
  const path = join(keep, 'services', 'processes.json')
  writeFileSync(path, JSON.stringify({ mark: keep, path, users: { alpha: uid } }), { mode: 0o600 })
  const { spawn } = await import('node:child_process')
  const other = spawn('/bin/sleep', ['60'], { uid, gid: uid, stdio: 'ignore' })
  try {
    await withProcesses(async ({ processes }) => {
      const error = await fault(processes.start('alpha', shell('exec sleep 60'), env()))
      assert.is(error.code, 'StartFailed')
      assert.match(error.message, /The user of alpha is another's on this machine: 61999/)
      await processes.start('beta', shell('exec sleep 60'), env())
    }, { keep })
    assert.is(other.exitCode, null, 'nobody ended it')
  } finally {
    other.kill('SIGKILL')
  }
}))

rooted('must be able to come to its program', () => inZoneFolder(async (keep) => {
  const program = join(keep, 'program')
  writeFileSync(program, `#!${SH}\nexec sleep 60\n`, { mode: 0o755 })
  await withProcesses(async ({ processes }) => {
    const error = await fault(processes.start('alpha', { command: [program], health: null, stopMs: 500 }, env()))
    assert.is(error.code, 'StartFailed')
    assert.match(error.message, new RegExp(`a user of its own cannot come to ${program}: ${keep} is closed`))
  }, { keep, allow: [program] })
}))

test('is not guessed from a list that is damaged', () => inZoneFolder(async (keep) => {
  mkdirSync(join(keep, 'services'), { mode: 0o700 })
  for (const text of ['{', '[]', '{"mark":"x","path":"y","users":{"alpha":0}}']) {
    writeFileSync(join(keep, 'services', 'processes.json'), text)
    await withProcesses(async ({ processes }) => {
      const error = await fault(processes.start('alpha', shell('exec sleep 60'), env()))
      assert.match(error.message, /The list of processes is damaged: .*processes\.json/)
    }, { keep })
    assert.is(readFileSync(join(keep, 'services', 'processes.json'), 'utf8'), text, 'it is left for who restores it')
  }
}))

test("is the zone's where the zone is not root, which is said once", async () => {
  if (process.argv[2] === 'nobody') return
  const keep = mkdtempSync(join(tmpdir(), 'zonewright-nobody-'))
  chmodSync(keep, 0o777)
  try {
    const { lines, noise, code } = await runChild(['nobody', keep], { msMax: 20_000 })
    const [told] = lines
    assert.is(code, 0, noise)
    const user = asRoot ? NOBODY : process.getuid?.()
    assert.equal(told?.['users'], [user, user])
    assert.is((told?.['warnings'] as string[]).length, 1, String(told?.['warnings']))
    assert.match((told?.['warnings'] as string[])[0]!, /Services run as the zone's own user \(\d+\)/)
  } finally {
    rmSync(keep, { recursive: true, force: true })
  }
})

/** This file again, as somebody who is not root. */
async function asNobody(keep: string): Promise<void> {
  if (asRoot) {
    process.setgid?.(NOBODY)
    process.setuid?.(NOBODY)
  }
  await withProcesses(async ({ processes, folder, logs }) => {
    for (const name of ['alpha', 'beta']) await processes.start(name, shell('id -u > id; exec sleep 60'), env(PATH))
    await until(() => ['alpha', 'beta'].every((name) => has(join(folder, name, 'id'))), 'their users')
    const users = ['alpha', 'beta'].map((name) => Number(readFileSync(join(folder, name, 'id'), 'utf8')))
    const warnings = logs.filter(({ message }) => /own user/.test(message)).map(({ message }) => message)
    console.log(JSON.stringify({ users, warnings }))
  }, { keep })
}

if (process.argv[2] === 'nobody') await asNobody(process.argv[3]!)
else test.run()
