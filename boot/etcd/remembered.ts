import { safeParse } from 'valibot'
import { INIT_SEQUENCE } from '../../actors/init-steps.ts'
import type { Files } from '../../runtime/platform/ports.ts'
import {
  array, boolean, integer, number, object, pipe, record, string, union, type Infer,
} from '../../runtime/protocol.ts'
import type { StepEvent, Trace } from '../../runtime/trace.ts'
import { parseJson } from '../parse-json.ts'
import { stepRow, type StepRow } from '../render.ts'
import { INITIALISATION } from './names.ts'

const count = pipe(number(), integer())

const Remembered = object({
  steps: array(object({
    number: count, host: string(), actor: string(), at: number(),
    evidence: record(string(), union([string(), number(), boolean()])),
    /** Milliseconds since its command began. */
    atMs: number(),
  })),
})
type RememberedStep = Infer<typeof Remembered>['steps'][number]

/** The documented initialisation through its two commands: what one has marked, the other still shows. */
export class Initialisation {
  readonly #files: Files
  readonly #began: number
  readonly #steps = new Map<number, RememberedStep>()
  readonly #before: ReadonlySet<number>
  /** What this command has marked, in the order in which it came. */
  readonly #now: RememberedStep[] = []
  #end: () => void = () => {}

  private constructor(files: Files, began: number, before: readonly RememberedStep[]) {
    this.#files = files
    this.#began = began
    this.#before = new Set(before.map(({ number }) => number))
    for (const step of before) this.#steps.set(step.number, step)
  }

  /** A file that cannot be read is taken for none: it is only shown. */
  static async open(files: Files, began: number): Promise<Initialisation> {
    const parsed = safeParse(Remembered, parseJson(await files.read(INITIALISATION) ?? new Uint8Array()))
    return new Initialisation(files, began, parsed.success ? parsed.output.steps : [])
  }

  follow(trace: Trace): void {
    const mark = ({ sequence, number, host, actor, at, evidence }: StepEvent): void => {
      if (sequence !== INIT_SEQUENCE) return
      const atMs = Math.max(0, Math.round(at - this.#began))
      const step = { number, host, actor, at, evidence: { ...evidence }, atMs }
      this.#steps.set(number, step)
      this.#now.push(step)
    }
    trace.on('step', mark)
    this.#end = () => trace.off('step', mark)
  }

  /** No longer follows, and writes what was marked beside what was marked before. */
  async keep(): Promise<void> {
    this.#end()
    if (this.#now.length === 0) return
    const contents = `${JSON.stringify({ steps: this.#all() }, null, 2)}\n`
    await this.#files.write(INITIALISATION, new TextEncoder().encode(contents), { mode: 0o600 })
  }

  close(): void {
    this.#end()
  }

  /** Whether it was marked before this command. */
  had(number: number): boolean {
    return this.#before.has(number)
  }

  /** As rows of the timeline, by number; of a step that was marked twice the last. */
  rows(): readonly StepRow[] {
    return this.#all().flatMap((step) => {
      const row = stepRow({ ...step, sequence: INIT_SEQUENCE }, step.at - step.atMs)
      return row ?? []
    })
  }

  #all(): readonly RememberedStep[] {
    return [...this.#steps.values()].sort((a, b) => a.number - b.number)
  }
}
