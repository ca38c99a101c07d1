import type { Range } from './random.ts'

/** Microseconds, both bounds included; each delay is drawn from the seed. */
export const delays = {
  /** Between threads of one host, and between two hosts. */
  channel: [20, 200],
  network: [100, 800],
  control: [30, 300],
  http: [100, 1_000],
  disk: [50, 500],
  workerStart: [5_000, 40_000],
} as const satisfies Record<string, Range>
