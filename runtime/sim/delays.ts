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
  /** One way between a thread and etcd, and what making a write durable adds. */
  etcd: [100, 1_000],
  etcdCommit: [500, 5_000],
  /** How long etcd has no leader when it changes. */
  etcdElection: [200_000, 3_000_000],
  /** When a client notices that a stream is dead which nobody closed: a ping every 6 s, and 2 s for its answer. */
  etcdSilence: [6_000_000, 8_000_000],
} as const satisfies Record<string, Range>
