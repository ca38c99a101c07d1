import * as assert from 'uvu/assert'
import type { Platform } from '../../runtime/platform/ports.ts'
import {
  SimulationFailed, simulate, type SimulateOptions, type SimulationResult, type World,
} from '../../runtime/sim/simulate.ts'

type Run = (world: World) => Promise<void>

const small: SimulateOptions = {
  seed: 1, keys: 'cheap', modules: new Map(), maxEvents: 10_000, maxVirtualMs: 86_400_000,
}

export const simulateWith = (program: Run, options: Partial<SimulateOptions> = {}): Promise<SimulationResult> =>
  simulate({ ...small, ...options }, program)

/** What made the run fail, as it must. */
export async function failureOf(program: Run, options: Partial<SimulateOptions> = {}): Promise<Error> {
  const failed = await thrownBy(simulateWith(program, options))
  assert.instance(failed, SimulationFailed)
  return failed?.cause as Error
}

export const thrownBy = (work: Promise<unknown>): Promise<Error | undefined> =>
  work.then(() => undefined, (error: unknown) => error as Error)

export async function rejects(work: Promise<unknown>, Class: new (...args: never[]) => Error): Promise<void> {
  assert.instance(await thrownBy(work), Class)
}

export const pause = ({ clock }: Pick<Platform, 'clock'>, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.after(ms, resolve))

const encoder = new TextEncoder()
export const utf8 = (text: string): Uint8Array => encoder.encode(text)
