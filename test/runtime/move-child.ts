/**
 * A process that uses a store and moves it, and is killed as it does: opens the store of a folder (or of etcd, when it
 * has gone there), writes all the while and prints what was acknowledged, and ends itself by SIGKILL as the move comes
 * to a phase. Without a phase it ends when the store has gone.
 */
import process from 'node:process'
import { readFileSync } from 'node:fs'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import { moveTo, openStore } from '../../runtime/store/open.ts'
import { bytes, type EtcdLocation } from './move-fixture.ts'

export interface MoveTask {
  readonly folder: string
  readonly to: EtcdLocation
  /** As the move comes to it, or when so many entries are copied. */
  readonly dieAt?: string | number
  readonly entries: number
}

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

async function run({ folder, to, dieAt, entries }: MoveTask): Promise<void> {
  const hold = setInterval(() => {}, 1_000)
  const from = { type: 'folder', path: folder, moving: to } as const
  const store = new MovableStore(await openStore(from, 'one', { clock, random }))
  const revision = await store.revision()
  say({ opened: store.id, revision, inEtcd: !store.moveSource })
  for (let first = 0; revision === 0 && first < entries; first += 500) {
    await store.transact([], Array.from({ length: 500 }, (_, index) => (
      { type: 'put', key: `k/${first + index}`, value: bytes(`${'x'.repeat(200)} ${first + index}`) })))
  }
  let over = false
  const write = async (writer: number): Promise<void> => {
    // Numbers grow from process to process
    for (let number = (revision + 1) * 1_000; !over; number++) {
      const key = `w/${writer}/${number % 40}`
      try {
        await store.put(key, bytes(String(number)))
        say({ key, number })
      } catch (error) {
        if ((error as { code?: string }).code !== 'Unavailable') throw error
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const writing = [1, 2].map(write)
  if (store.moveSource) {
    const moved = await moveTo(store, to, 'one', {
      owner: { host: 'ood1', source: `${folder}/one` }, clock, random, signal: new AbortController().signal,
      onProgress: ({ phase, entries: copied }) => {
        if (phase === dieAt || typeof dieAt === 'number' && copied >= dieAt) process.kill(process.pid, 'SIGKILL')
      },
    })
    say({ moved: moved.moved, entries: moved.entries })
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  over = true
  await Promise.all(writing)
  await store.close()
  say({ done: true })
  clearInterval(hold)
}

run(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as MoveTask).catch((error: Error & { code?: string }) => {
  say({ failed: error.code ?? error.name, message: error.message })
  process.exit(1)
})
