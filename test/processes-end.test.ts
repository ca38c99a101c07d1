/** How processes end, with all that they started, whatever they and the zone do; and how much they may say. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import {
  chmodSync, endMarked, env, has, isAlive, join, mkdtempSync, number, pause, rmSync, RUNTIME, shell, tmpdir, until,
  withProcesses, writeFileSync,
} from './processes-fixture.ts'

const test = suite('the end of a process')

test('what it started ends with it, also when only the first of them ends', () =>
  withProcesses(async ({ processes, folder, state }) => {
    const at = (name: string) => join(folder, 'notes', name)
    const script = `sh -c "trap '' TERM; echo \\$\\$ > grandchild; while :; do sleep 0.1; done" & `
      + 'while ! test -s grandchild; do sleep 0.02; done; echo $$ > leader; '
    await processes.start('notes', shell(`${script} wait`, { stopMs: 700 }), env())
    await until(() => has(at('leader')), 'both')
    const ids = [number(at('leader')), number(at('grandchild'))]
    assert.ok(ids.every(isAlive))
    await processes.stop('notes')
    assert.not(ids.some(isAlive), 'after a stop')

    rmSync(at('grandchild'))
    rmSync(at('leader'))
    await processes.start('notes', shell(`${script} sleep 0.5; exit 1`), env())
    await until(() => has(at('leader')), 'both again')
    const before = [number(at('leader')), number(at('grandchild'))]
    await until(() => processes.list()[0]!.incarnation > 2, 'restarted')
    assert.not(before.some(isAlive), 'after a crash')
    assert.is.not(state('notes'), 'failed')
  }))

test('what left its group ends with it', () => withProcesses(async ({ processes, folder }) => {
  const path = join(folder, 'notes', 'daemon')
  const script = 'setsid sh -c "echo \\$\\$ > daemon; exec sleep 60" & '
    + 'while ! test -s daemon; do sleep 0.02; done; wait'
  await processes.start('notes', shell(script, { stopMs: 500 }), env())
  await until(() => has(path), 'it left')
  const id = number(path)
  assert.ok(isAlive(id))
  await processes.stop('notes')
  assert.not(isAlive(id))
}))

test('one that ignores SIGTERM is killed when its time is over, and that is told', () =>
  withProcesses(async ({ processes, log, folder }) => {
    const deaf = 'trap "" TERM; echo ready > ready; while :; do sleep 0.05; done'
    await processes.start('notes', shell(deaf, { stopMs: 400 }), env())
    await until(() => has(join(folder, 'notes', 'ready')), 'deaf')
    const id = processes.list()[0]!.processId!
    const began = performance.now()
    await processes.stop('notes')
    const tookMs = performance.now() - began
    assert.ok(tookMs >= 390 && tookMs < 3_000, `${tookMs} ms`)
    assert.not(isAlive(id))
    assert.match(log('notes'), /did not end within 400 ms of SIGTERM, and was killed/)
  }))

test('what a script runs has its time to end, though the script itself is gone at once', () =>
  withProcesses(async ({ processes, folder }) => {
    const server = 'sh -c "trap \'sleep 0.4; echo saved > saved; exit 0\' TERM; echo ready > ready; '
      + 'while :; do sleep 0.05; done" & wait'
    await processes.start('notes', shell(server), env())
    await until(() => has(join(folder, 'notes', 'ready')), 'ready')
    await processes.stop('notes')
    assert.ok(has(join(folder, 'notes', 'saved')))
  }))

test('nothing is left of it when the zone is killed: at once, or else with the next start', async () => {
  const keep = mkdtempSync(join(tmpdir(), 'zonewright-killed-'))
  chmodSync(keep, 0o700)
  const at = (name: string) => join(keep, 'services', 'notes', name)
  try {
    const child = await zoneProcess(keep)
    const ids = [number(at('leader')), number(at('grandchild')), number(at('daemon'))]
    assert.ok(ids.every(isAlive), 'they run')
    child.kill('SIGKILL')
    await until(() => !isAlive(ids[0]!) && !isAlive(ids[1]!), 'its group ends by itself')
    // What left the group goes on, until the host starts again
    assert.ok(isAlive(ids[2]!))
    await withProcesses(async ({ processes, logs }) => {
      await processes.start('other', shell('exec sleep 60'), env())
      assert.not(isAlive(ids[2]!))
      assert.match(logs.map(({ message }) => message).join('\n'), /an earlier start had left were ended: 1/)
    }, { keep })
  } finally {
    endMarked(keep)
    rmSync(keep, { recursive: true, force: true })
  }
})

test('a host that starts ends nothing of a host whose folder it is a copy of', async () => {
  const keep = mkdtempSync(join(tmpdir(), 'zonewright-copy-'))
  try {
    await withProcesses(async ({ processes, folder }) => {
      await processes.start('notes', shell('exec sleep 60'), env())
      const id = processes.list()[0]!.processId!
      const { cpSync } = await import('node:fs')
      cpSync(folder, join(keep, 'services'), { recursive: true })
      await withProcesses(async ({ processes: others }) => {
        await others.start('other', shell('exec sleep 60'), env())
        assert.ok(isAlive(id))
      }, { keep })
    })
  } finally {
    endMarked(keep)
    rmSync(keep, { recursive: true, force: true })
  }
})

test('a guard that was killed is replaced, and knows what runs', async () => {
  const keep = mkdtempSync(join(tmpdir(), 'zonewright-guard-'))
  try {
    const child = await zoneProcess(keep)
    const id = number(join(keep, 'services', 'notes', 'leader'))
    const guards = await childrenOf(child.pid!, 'read -r change')
    assert.is(guards.length, 1)
    process.kill(guards[0]!, 'SIGKILL')
    const isOther = async () => (await childrenOf(child.pid!, 'read -r change')).some((each) => each !== guards[0])
    await until(isOther, 'another guard')
    child.kill('SIGKILL')
    await until(() => !isAlive(id), 'ended by it')
  } finally {
    endMarked(keep)
    rmSync(keep, { recursive: true, force: true })
  }
})

test('a flood of output is cut, and told how much; the process goes on, and so do others', () =>
  withProcesses(async ({ processes, logs, log, state }) => {
    await processes.start('flood', shell('yes 0123456789'), env())
    await processes.start('notes', shell('while :; do echo tick; sleep 0.1; done'), env())
    await pause(3_200)
    assert.is(state('flood'), 'serving')
    assert.is(state('notes'), 'serving')
    const told = logs.filter(({ actor }) => actor === 'flood')
    assert.ok(told.length <= 5 * (limits.processLines + 2), `${told.length} lines`)
    const dropped = /(\d+) lines were dropped: more than (\d+) came in a second/.exec(log('flood'))
    assert.is(Number(dropped?.[2]), limits.processLines)
    assert.ok(Number(dropped?.[1]) > 1_000, `dropped: ${dropped?.[1]}`)
    assert.ok(logs.filter(({ message }) => message === 'tick').length > 10, 'others are heard')
    assert.ok(told.every(({ message }) => /^0123456789$|dropped/.test(message)), 'no line is mixed of two')
  }))

test('one that writes faster than it is read waits as it writes, and is told of', () =>
  withProcesses(async ({ processes, folder, log }) => {
    const began = performance.now()
    const bytes = 3 * limits.processOutputBytes
    await processes.start('flood', shell(`head -c ${bytes} /dev/zero; echo done > done; exec sleep 60`), env())
    await until(() => has(join(folder, 'flood', 'done')), 'all read', 20_000)
    const tookMs = performance.now() - began
    assert.ok(tookMs > 1_500, `${tookMs} ms`)
    await until(() => /\d+ lines were dropped/.test(log('flood')), 'told')
  }))

test('a line that is too long comes in parts, and no character is divided', () =>
  withProcesses(async ({ processes, logs }) => {
    const script = 'i=0; while [ $i -lt 3000 ]; do printf "\\303\\244\\342\\202\\254\\360\\237\\246\\211"; '
      + 'i=$((i+1)); done; echo; printf "\\377\\n"; echo end; exec sleep 60'
    await processes.start('notes', shell(script), env())
    await until(() => logs.some(({ message }) => message === 'end'), 'all of it', 20_000)
    const told = logs.filter(({ actor, level }) => actor === 'notes' && level === 'info').map(({ message }) => message)
    const parts = told.filter((message) => message.startsWith('ä') || message.includes('€'))
    assert.is(parts.length, Math.ceil(27_000 / limits.logLine))
    assert.is(parts.join(''), 'ä€🦉'.repeat(3_000))
    assert.ok(parts.every((part) => part.length <= limits.logLine))
    assert.ok(told.includes('\ufffd'), 'what is no text is shown as such')
  }))

const SCRIPT = 'setsid sh -c "echo \\$\\$ > daemon; exec sleep 600" & '
  + 'sh -c "trap \'\' TERM; echo \\$\\$ > grandchild; while :; do sleep 0.1; done" & '
  + 'while ! test -s daemon || ! test -s grandchild; do sleep 0.02; done; echo $$ > leader; wait'

/** This file again, as a zone that runs one service until it is killed. */
async function zoneProcess(keep: string) {
  const [file = ''] = process.argv.slice(1)
  const flags = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : []
  const child = spawn(RUNTIME, [...flags, file, 'zone', keep], { stdio: 'inherit' })
  await until(() => has(join(keep, 'services', 'notes', 'leader')) && has(join(keep, 'ready')), 'a zone', 20_000)
  return child
}

async function childrenOf(id: number, text: string): Promise<number[]> {
  const { readdirSync, readFileSync } = await import('node:fs')
  return readdirSync('/proc').map(Number).filter((each) => Number.isInteger(each) && isAlive(each)).filter((each) => {
    try {
      const stat = readFileSync(`/proc/${each}/stat`, 'latin1')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return parent === id && readFileSync(`/proc/${each}/cmdline`, 'latin1').includes(text)
    } catch {
      return false
    }
  })
}

if (process.argv[2] === 'zone') {
  const keep = process.argv[3]!
  await withProcesses(async ({ processes }) => {
    await processes.start('notes', shell(SCRIPT), env())
    writeFileSync(join(keep, 'ready'), 'yes')
    await pause(60_000)
  }, { keep })
} else test.run()
