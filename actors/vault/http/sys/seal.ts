import { bare } from '../answer.ts'
import type { OpenCx, Route } from '../route.ts'

const statusOf = ({ area: { core } }: OpenCx): object => {
  const { unsealed } = core
  return {
    type: 'shamir', initialized: true, sealed: unsealed === undefined, t: unsealed?.threshold ?? 0,
    n: unsealed?.shares ?? 0, progress: 0, nonce: '', version: '1.0.0',
  }
}

export const sealRoutes: readonly Route[] = [
  { path: 'sys/seal-status', open: true, on: { read: (cx) => bare(statusOf(cx)) } },
]
