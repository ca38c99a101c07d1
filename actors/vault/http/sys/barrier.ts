import { badRequest, nothingThere, secret, twice } from '../answer.ts'
import type { Route } from '../route.ts'
import { rfc3339 } from '../times.ts'

export const barrierRoutes: readonly Route[] = [
  {
    path: 'sys/key-status',
    on: {
      read({ services: { vault } }) {
        const key = vault.terms.keyring.keys.at(-1)!
        return twice({ term: key.term, install_time: rfc3339(key.installedAt) })
      },
    },
  },
  {
    path: 'sys/rotate', sudo: true,
    on: {
      async update({ services: { vault }, area: { start } }) {
        const term = await vault.terms.rotate()
        start.log.info('The barrier has a new term', { term })
        return undefined
      },
    },
  },
  {
    path: 'sys/audit', sudo: true,
    on: {
      read: () => twice({
        'chain/': {
          description: 'hash chain of the host, signed at intervals; always on', local: true, options: null,
          path: 'chain/', type: 'chain',
        },
      }),
    },
  },
  // Nothing here is leased: what a client asks about leases has an answer all the same
  { path: 'sys/leases/lookup', on: { update: () => { throw badRequest('invalid lease') } } },
  { path: 'sys/leases/lookup/*prefix', sudo: true, on: { list: () => { throw nothingThere() } } },
  { path: 'sys/leases/renew', on: { update: () => { throw badRequest('lease not found') } } },
  { path: 'sys/leases/revoke', on: { update: () => undefined } },
  { path: 'sys/leases/revoke-prefix/*prefix', sudo: true, on: { update: () => undefined } },
  {
    path: 'sys/leases/tidy', sudo: true,
    on: { update: () => secret(null, { warnings: ['Nothing here is leased.'], status: 202 }) },
  },
]
