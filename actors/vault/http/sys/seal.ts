import { badRequest, bare, type Answer } from '../answer.ts'
import { rootToken } from '../operator.ts'
import { isYes } from '../request.ts'
import type { OpenCx, Route } from '../route.ts'
import { shareOf, sharesTold, splitOf } from './shares.ts'

/** The release of Vault whose answers these are like; clients look at it before they use what is newer. */
export const API_VERSION = '1.15.0+zonewright'

async function sealStatus({ area: { life } }: OpenCx): Promise<object> {
  const { initialised, sealed, threshold, shares, progress, nonce, vaultId } = await life.status()
  return {
    type: 'shamir', initialized: initialised, sealed, t: threshold, n: shares, progress, nonce, version: API_VERSION,
    build_date: '', migration: false, recovery_seal: false, storage_type: 'zonewright',
    ...(sealed ? {} : { cluster_name: 'zonewright', cluster_id: vaultId }),
  }
}

async function health(cx: OpenCx): Promise<Answer> {
  const { initialised, sealed, vaultId } = await cx.area.life.status()
  const code = (name: string, otherwise: number): number => cx.fields.whole(name, { min: 100, max: 599 }) ?? otherwise
  // One that is asked for and makes no sense is told of, whatever the state is
  const codes = { open: code('activecode', 200), sealed: code('sealedcode', 503), uninit: code('uninitcode', 501) }
  return bare({
    initialized: initialised, sealed, standby: false, performance_standby: false,
    replication_performance_mode: 'disabled', replication_dr_mode: 'disabled',
    server_time_utc: Math.floor(cx.area.core.ports.clock.now() / 1_000), version: API_VERSION,
    ...(sealed ? {} : { cluster_name: 'zonewright', cluster_id: vaultId }),
  }, !initialised ? codes.uninit : sealed ? codes.sealed : codes.open)
}

/** The root token has to be written while the barrier is open: by these very shares, and then it is as it was. */
async function initialise(cx: OpenCx): Promise<Answer> {
  const { area: { life, core }, fields, openServices } = cx
  const split = splitOf(fields)
  const shares = await life.initialise(split)
  // Before they are used: who uses a share may overwrite it
  const told = sharesTold(shares)
  const wasSealed = core.unsealed === undefined
  for (const share of wasSealed ? shares.slice(0, split.threshold) : []) await life.unsealBy(share)
  const token = await rootToken(await openServices(core.open()))
  if (wasSealed) await life.seal()
  return bare({ ...told, root_token: token })
}

export const sealRoutes: readonly Route[] = [
  { path: 'sys/seal-status', open: true, on: { read: async (cx) => bare(await sealStatus(cx)) } },
  { path: 'sys/health', open: true, on: { read: health } },
  {
    path: 'sys/init', open: true,
    on: {
      read: async ({ area: { life } }) => bare({ initialized: (await life.status()).initialised }),
      update: initialise,
    },
  },
  {
    path: 'sys/unseal', open: true,
    on: {
      async update(cx) {
        const { area: { life }, request: { data }, fields } = cx
        if (isYes(data['migrate'])) throw badRequest('there is no other seal to migrate to')
        if (fields.flag('reset') === true) await life.reset()
        else await life.unsealBy(shareOf(fields))
        return bare(await sealStatus(cx))
      },
    },
  },
  {
    path: 'sys/leader', open: true,
    on: {
      read({ area: { core } }) {
        core.open()
        return bare({
          ha_enabled: false, is_self: false, active_time: '0001-01-01T00:00:00Z', leader_address: '',
          leader_cluster_address: '', performance_standby: false, performance_standby_last_remote_wal: 0,
        })
      },
    },
  },
  {
    path: 'sys/seal', sudo: true,
    on: {
      async update({ area: { life } }) {
        await life.seal()
        return undefined
      },
    },
  },
]
