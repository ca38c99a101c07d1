/** The adapters of the running runtime: files, the lock, the clock, the generator. */
import { type ChildProcess, spawn } from 'node:child_process'
import { access, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AlreadyExists, FolderInUse, InvalidArgument, NotWritable } from '../../runtime/errors.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { openFolder } from '../../runtime/platform/files.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { failed } from './supervisor-fixture.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const files = suite('files')

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-platform-'))
  try {
    await test(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const classOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => undefined, (error: object) => error.constructor)

files('a file keeps its mode and its first contents, and whatever fails leaves nothing behind', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    await opened.create('key', utf8('one'), { mode: 0o600 })
    assert.is(await classOf(opened.create('key', utf8('two'), { mode: 0o600 })), AlreadyExists)
    assert.is(await opened.mode('key'), 0o600)
    assert.equal(new TextDecoder().decode(await opened.read('key')), 'one')
    await opened.write('key', utf8('three'), { mode: 0o640 })
    assert.is(await opened.mode('key'), 0o640)
    await opened.makeFolder('taken', { mode: 0o700 })
    await failed(opened.write('taken', utf8('a folder has this name'), { mode: 0o600 }))
    await failed(opened.write('missing/key', utf8('x'), { mode: 0o600 }))
    assert.is(await opened.read('none'), undefined)
    assert.equal(await opened.list('none'), [])
    assert.equal((await readdir(folder)).sort(), ['key', 'taken'])
  })
})

files('a name stays in its folder', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    for (const name of ['/etc/passwd', '../x', 'a/../../x', 'a\\..\\x']) {
      assert.throws(() => opened.path(name), (error: unknown) => error instanceof InvalidArgument)
    }
  })
})

files('a folder is made with all above it, private, by several at once; what cannot be one is refused', async () => {
  await inFolder(async (folder) => {
    await Promise.all(Array.from({ length: 8 }, () => openFolder(join(folder, 'a/b/c'))))
    for (const made of ['a', 'a/b', 'a/b/c']) assert.is((await stat(join(folder, made))).mode & 0o777, 0o700)
    await writeFile(join(folder, 'file'), '')
    for (const path of [join(folder, 'file'), join(folder, 'file/below'), '/proc/zonewright']) {
      assert.is(await classOf(openFolder(path)), NotWritable, path)
    }
  })
})

const program = fileURLToPath(new URL('../examples/lock-process.ts', import.meta.url))
const lockProcess = (folder: string, mode: string): ChildProcess => {
  const args = 'Deno' in globalThis ? ['run', '-A', program] : [program]
  return spawn(process.execPath, [...args, folder, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
}
const output = (child: ChildProcess): Promise<{ code: number | null; text: string }> => {
  let text = ''
  child.stdout!.on('data', (chunk: Uint8Array) => {
    text += new TextDecoder().decode(chunk)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })))
}

files('a lock names its holder, and ends with a process that is killed, as do its half-written files', async () => {
  await inFolder(async (folder) => {
    const child = lockProcess(folder, 'hold')
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    const opened = await openFolder(folder)
    assert.match(await failed(opened.lock('lock')), new RegExp(`^FolderInUse: .*process ${child.pid} `))
    const half = `owner.key.${child.pid}.1.tmp`
    await writeFile(join(folder, half), 'half a key')
    child.kill('SIGKILL')
    await output(child)
    const release = await opened.lock('lock')
    assert.not((await readdir(folder)).includes(half))
    await release()
    assert.equal(await readdir(folder), [])
  })
})

files('a process holds a lock once, and only who holds it can release it', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    const first = await opened.lock('lock')
    assert.is(await classOf(opened.lock('lock')), FolderInUse)
    await first()
    const second = await opened.lock('lock')
    await first()
    assert.is(await classOf(opened.lock('lock')), FolderInUse)
    await second()
  })
})

files(
  'of processes that compete for a lock and for what dead ones left, never do two hold it, and each gets it',
  async () => {
    await inFolder(async (folder) => {
      const children = Array.from({ length: 4 }, () => output(lockProcess(folder, '1500')))
      const stop = { now: false }
      const leaving = (async () => {
        for (let dead = 0; !stop.now; dead++) {
          await writeFile(join(folder, `lock.999999.${dead}-dead`), 'held')
          await sleep(5)
        }
      })()
      const ended = await Promise.all(children)
      stop.now = true
      await leaving
      assert.equal(ended.map(({ code }) => code), [0, 0, 0, 0])
      for (const { text } of ended) assert.ok(Number(text) > 0, text)
      assert.is(await access(join(folder, 'alone')).then(() => true, () => false), false)
    })
  },
)

files.run()

const clock = suite('clock')

clock('a timer beyond what timers hold waits, and one that is cancelled does not run', async () => {
  let ran = 0
  const cancels = [2 ** 31, 2 ** 40, 20].map((ms) => systemClock.after(ms, () => void ran++))
  cancels[2]!()
  cancels[2]!()
  await sleep(60)
  assert.is(ran, 0)
  systemClock.after(1, () => void ran++)
  await sleep(60)
  assert.is(ran, 1)
  for (const cancel of cancels) cancel()
})

clock.run()

const random = suite('random')

random('random bytes are as many as asked for, come once, and are their holder\'s alone', () => {
  const seen = new Map<string, Uint8Array>()
  for (let round = 0; round < 20_000; round++) {
    const bytes = systemRandom.bytes(12 + round % 24)
    assert.is(bytes.length, 12 + round % 24)
    seen.set(bytes.subarray(0, 12).join(), bytes)
  }
  assert.is(seen.size, 20_000)
  // Nobody drew what was there before, and nobody has written to it since
  for (const [text, bytes] of seen) assert.is(bytes.subarray(0, 12).join(), text)
  const ones = [...seen.values()].reduce((sum, bytes) => sum + (bytes[11]! & 1), 0)
  assert.ok(ones > 9_500 && ones < 10_500, `${ones} of 20 000 bits`)
  const [first, second] = [systemRandom.bytes(16), systemRandom.bytes(16)]
  const before = second.join()
  first.fill(0)
  assert.is(second.join(), before)
})

random.run()
