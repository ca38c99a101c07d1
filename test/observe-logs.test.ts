/** The log: in rotated files, in memory for who asks, whatever the disk and the readers do. */
import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLineRing } from '../boot/observe/line-ring.ts'
import { createLogFile } from '../boot/observe/log-file.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Files } from '../runtime/platform/ports.ts'
import type { LogLine } from '../runtime/supervision.ts'
import { inFolder, isRoot, observed, onSmallDisk, pause, until, written } from './observe-fixture.ts'

const test = suite('logs')
const inside = (title: string, task: (folder: string) => Promise<void>): void => test(title, () => inFolder(task))
const never = new AbortController().signal

inside('every event that people need is a line of JSON, in a file that only its owner reads', async (folder) => {
  const { observer, trace, log } = await observed(folder)
  const origin = { host: 'ood1', actor: 'vault', at: 1_700_000_000_123 }
  log('hello', { ...origin, fields: { term: 3 } })
  trace.emit('actor', { ...origin, state: 'died', incarnation: 7, reason: 'exit 1' })
  trace.emit('denial', { ...origin, id: 'D-00000001', chain: [
    { layer: 'token', verdict: 'denied', rule: 'session', reason: 'token/expired', detail: 'exp 5' },
  ] })
  await observer.close()
  assert.equal(await written(folder), [
    { sequence: 1, ...origin, level: 'info', message: 'hello', fields: { term: 3 } },
    { sequence: 2, ...origin, level: 'error', message: 'died: exit 1', fields: { state: 'died', incarnation: 7 } },
    { sequence: 3, ...origin, level: 'warn', message: 'denied: token/expired', fields: {
      id: 'D-00000001', layer: 'token', reason: 'token/expired', rule: 'session', detail: 'exp 5',
    } },
  ])
  assert.is((await stat(join(folder, 'logs'))).mode & 0o777, 0o700)
  assert.is((await stat(join(folder, 'logs/zone.jsonl'))).mode & 0o777, 0o600)
})

inside('a line is one line, and no terminal obeys it', async (folder) => {
  const { observer, log, kept } = await observed(folder)
  log('a\nb\u001b[2J\u202e\u0000', { fields: { 'k\n': 'v\r', deep: { x: ['\u009b'] } as never } })
  log('x'.repeat(limits.logLine * 3))
  const [line, long] = await kept()
  assert.not(/[\u0000-\u001f\u007f-\u009f\u202e]/.test(line!.message + JSON.stringify(line!.fields)))
  assert.match(line!.message, /^a\\nb/)
  assert.is(long!.message.length, limits.logLine)
  await observer.close()
  assert.is((await written(folder)).length, 2)
})

inside('full files are put aside, five are kept, and a new process goes on in the same one', async (folder) => {
  const text = 'x'.repeat(8_000)
  const perFile = Math.ceil(limits.logFileBytes / 8_100)
  const first = await observed(folder)
  for (let index = 0; index < 7; index++) {
    for (let line = 0; line < perFile / 2; line++) first.log(`${index} ${text}`)
    const isThere = (lines: readonly LogLine[]): boolean => lines.some(({ message }) => message.startsWith(`${index} `))
    await until('written', () => written(folder).then(isThere, () => false))
    await pause(50)
  }
  await first.observer.close()
  const before = (await readdir(join(folder, 'logs'))).sort()
  assert.equal(before, ['zone.jsonl', 'zone.jsonl.1', 'zone.jsonl.2', 'zone.jsonl.3'])
  for (const name of before) assert.ok((await stat(join(folder, 'logs', name))).size <= limits.logFileBytes)
  const second = await observed(folder)
  second.log('after the restart')
  await second.observer.close()
  const lines = await written(folder)
  assert.is(lines.length, 7 * Math.ceil(perFile / 2) + 1)
  assert.is(lines.at(-1)!.message, 'after the restart')
  assert.equal((await readdir(join(folder, 'logs'))).sort(), before)
})

inside('a rotation that was cut leaves a gap, which the next one closes without losing a file', async (folder) => {
  const { observer } = await observed(folder)
  await observer.close()
  const { host, clock } = await openPlatform()
  const files = await host.openFolder(folder)
  await files.makeFolder('logs', { mode: 0o700 })
  // As if ended between the renames: 2 has become 3, 1 not yet 2
  await writeFile(join(folder, 'logs/zone.jsonl.3'), 'oldest\n')
  await writeFile(join(folder, 'logs/zone.jsonl.1'), 'older\n')
  await writeFile(join(folder, 'logs/zone.jsonl'), `${'y'.repeat(limits.logFileBytes)}\n`)
  const log = createLogFile({ files, clock, folder: 'logs', onFailed() {}, onBack() {} })
  log.write('new')
  await log.close()
  const read = (name: string): Promise<string> => readFile(join(folder, 'logs', name), 'utf8')
  assert.is(await read('zone.jsonl'), 'new\n')
  assert.ok((await read('zone.jsonl.1')).startsWith('yyy'))
  assert.is(await read('zone.jsonl.2'), 'older\n')
  assert.is(await read('zone.jsonl.3'), 'oldest\n')
})

inside('half a line that a crash left does not swallow the next one', async (folder) => {
  const first = await observed(folder)
  first.log('whole')
  await first.observer.close()
  await appendFile(join(folder, 'logs/zone.jsonl'), '{"sequence":2,"mess')
  const second = await observed(folder)
  second.log('next')
  await second.observer.close()
  const lines = (await readFile(join(folder, 'logs/zone.jsonl'), 'utf8')).trimEnd().split('\n')
  assert.is(lines.length, 3)
  assert.is((JSON.parse(lines[2]!) as LogLine).message, 'next')
})

test('a full disk costs lines, not the zone: they are counted, and told of when there is room again', async () => {
  const ran = await onSmallDisk(128 * 1024, async (folder) => {
    const { observer, log, kept } = await observed(folder)
    await writeFile(join(folder, 'ballast'), 'b'.repeat(80 * 1024))
    const text = 'x'.repeat(4_000)
    const count = Math.ceil((limits.logPendingBytes + 256 * 1024) / text.length)
    log('first')
    await until('first line', async () => (await written(folder).catch(() => [])).length === 1)
    for (let index = 0; index < count; index++) log(text)
    await until('told of the full disk', async () =>
      (await kept()).some(({ level, message }) => level === 'error' && message.includes('ENOSPC')))
    assert.match(await observer.metrics(), /^zonewright_log_lines_dropped_total [1-9]\d*$/m)
    // What is in the files is whole lines, also where the disk took a part of them only
    assert.ok((await written(folder)).length >= 1)
    await rm(join(folder, 'ballast'))
    await observer.close()
  })
  assert.is(ran, isRoot, 'a small disk can be mounted by root only')
})

/** The real folder, behind a disk that can fail and hang. */
function troubled(files: Files) {
  const state = { error: '', hangs: undefined as Promise<void> | undefined }
  const append: Files['append'] = async (...given) => {
    if (state.error) throw Object.assign(new Error(state.error), { code: state.error })
    await state.hangs
    return files.append(...given)
  }
  return { state, files: { ...files, append } }
}

inside('when the disk takes lines again, what waited is written in order, and the loss is told', async (folder) => {
  const { state, files } = troubled(await (await openPlatform()).host.openFolder(folder))
  const { observer, log, kept } = await observed(folder, { files })
  state.error = 'ENOSPC'
  const text = 'x'.repeat(8_000)
  const count = Math.ceil(limits.logPendingBytes / 8_000) + 50
  for (let index = 0; index < count; index++) log(`${index} ${text}`)
  await until('told', async () => (await kept()).some(({ message }) => message.includes('cannot be written')))
  await pause(limits.logRetryMs + 100)
  state.error = ''
  const isBack = ({ message }: LogLine): boolean => message.includes('can be written again')
  await until('told that it is back', async () => (await kept()).some(isBack))
  await observer.close()
  const lines = await written(folder)
  const numbers = lines.filter(({ actor }) => actor === 'tester').map(({ message }) => Number.parseInt(message))
  assert.equal(numbers, numbers.map((_, index) => index))
  assert.ok(numbers.length < count)
  const back = lines.find(isBack)
  assert.ok((back?.fields as { dropped: number }).dropped >= count - numbers.length)
})

inside('a disk that hangs holds up neither who logs nor the stop', async (folder) => {
  const { state, files } = troubled(await (await openPlatform()).host.openFolder(folder))
  const { observer, log } = await observed(folder, { files })
  state.hangs = new Promise(() => {})
  // Timers of the platform do not keep a process alive
  const alive = setInterval(() => {}, 1_000)
  const began = performance.now()
  for (let index = 0; index < 5_000; index++) log(`${index} ${'x'.repeat(1_000)}`)
  const loggedMs = performance.now() - began
  await observer.close()
  assert.ok(loggedMs < 5_000, `${loggedMs} ms`)
  clearInterval(alive)
  assert.ok(performance.now() - began - loggedMs < limits.logCloseMs + 3_000)
})

inside('a reader gets the last lines, then those that come, and ends when it is told to', async (folder) => {
  const { observer, log, kept } = await observed(folder)
  for (let index = 1; index <= 20; index++) log(`${index}`, { actor: index % 2 === 0 ? 'even' : 'odd' })
  assert.equal((await kept(3)).map(({ message }) => message), ['18', '19', '20'])
  assert.equal(await kept(0), [])
  const read = async (query: Parameters<typeof observer.logs>[0]): Promise<string[]> => {
    const found: string[] = []
    for await (const { message } of observer.logs(query, never)) found.push(message)
    return found
  }
  assert.equal(await read({ tail: 2, follow: false, actor: 'even' }), ['18', '20'])
  assert.equal(await read({ tail: 100, follow: false, after: 18 }), ['19', '20'])
  assert.equal(await read({ tail: 1, follow: false, after: 5_000 }), ['20'], 'a number of an earlier process')
  assert.equal(await read({ tail: 100, follow: false, host: 'other' }), [])
  const stop = new AbortController()
  const followed: string[] = []
  const following = (async () => {
    const lines = observer.logs({ tail: 1, follow: true, actor: 'even' }, stop.signal)
    for await (const { message } of lines) followed.push(message)
  })()
  await pause(20)
  for (let index = 21; index <= 24; index++) log(`${index}`, { actor: index % 2 === 0 ? 'even' : 'odd' })
  await until('followed', () => followed.length === 3)
  stop.abort()
  await following
  assert.equal(followed, ['20', '22', '24'])
  await observer.close()
})

inside('followers end when the zone does', async (folder) => {
  const { observer, log } = await observed(folder)
  log('one')
  const reading = (async () => {
    let count = 0
    for await (const _ of observer.logs({ tail: 10, follow: true }, never)) count++
    return count
  })()
  await pause(20)
  await observer.close()
  assert.is(await reading, 1)
})

const line = (message: string): Omit<LogLine, 'sequence'> =>
  ({ at: 1, host: 'ood1', actor: 'tester', level: 'info', message, fields: {} })

test('a slow reader costs no memory: it is told how many lines it did not see, and goes on', async () => {
  const ring = createLineRing(100)
  for (let index = 1; index <= 10; index++) ring.add(line(`${index}`))
  const reader = ring.read({ tail: 5, follow: true }, never)
  assert.is((await reader.next()).value?.message, '6')
  for (let index = 11; index <= 1_000; index++) ring.add(line(`${index}`))
  const { value: gap } = await reader.next()
  assert.equal([gap.sequence, gap.level, gap.fields], [900, 'warn', { skipped: 894 }])
  assert.is((await reader.next()).value?.message, '901')
  assert.is(ring.skipped, 894)
  await reader.return(undefined)
})

test('one follower more than allowed is refused, and one that leaves makes room', async () => {
  const ring = createLineRing(10)
  const open = () => {
    const stop = new AbortController()
    const reader = ring.read({ tail: 0, follow: true }, stop.signal)
    return { stop, first: reader.next() }
  }
  const readers = Array.from({ length: limits.logFollowers }, open)
  const code = await open().first.then(() => 'none', (error: unknown) => (error as ZonewrightError).code)
  assert.is(code, 'Overloaded')
  readers[0]!.stop.abort()
  await readers[0]!.first
  const another = open()
  await pause(5)
  for (const { stop, first } of [...readers, another]) {
    stop.abort()
    await first
  }
})

test('keeping a line costs the same however many are kept', () => {
  const perLine = (capacity: number): number => {
    const ring = createLineRing(capacity)
    for (let index = 0; index < capacity; index++) ring.add(line('fill'))
    const began = performance.now()
    for (let index = 0; index < 200_000; index++) ring.add(line('more'))
    return (performance.now() - began) / 200_000
  }
  perLine(100)
  const [few, many] = [perLine(100), perLine(200_000)]
  assert.ok(many < few * 20 + 0.002, `${few} and ${many} ms`)
})

test.run()
