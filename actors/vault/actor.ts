import { actor, type Lifecycle } from '../../runtime/actor.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { INIT_ENV, INIT_SEQUENCE, initStep } from '../init-steps.ts'
import { createCore } from './core.ts'
import { createGuarded, type Area } from './guarded.ts'
import { httpHandlers } from './handlers/absent.ts'
import { keyHandlers } from './handlers/keys.ts'
import { recoveryHandlers } from './handlers/recovery.ts'
import { sealHandlers } from './handlers/seal.ts'
import { secretHandlers } from './handlers/secrets.ts'
import { openVault } from './init.ts'
import { pkiHandlers, zonePki } from './pki/handlers.ts'
import { mayLink } from './policy.ts'
import { Vault } from './protocol.ts'

export default actor(Vault, {}, async (start) => {
  const { store, keys, clock, log, self, denials, env } = start
  const random = start.random.fork('vault')
  const booted = env['ZONEWRIGHT_BOOTED'] === '1'
  const opened = await openVault({ store, keys, random, clock }, start.secrets, { booted })
  const core = createCore({ store, keys, random, clock })
  const { vaultId, term } = core.unseal(opened.keyring)
  log.info(opened.shares ? 'Vault initialised' : 'Vault unsealed', { vaultId, term })
  if (env[INIT_ENV] === 'start') start.step(INIT_SEQUENCE, initStep.vaultUnsealed, { vaultId, term, store: store.id })
  const area: Area = { start, core, guarded: createGuarded({ start, core }) }
  const mounts = zonePki(area)

  // No `authenticate`: callers are known by their link certificate, and every token is denied.
  const lifecycle: Lifecycle = {
    admit: (peer) => {
      const allowed = mayLink(peer, self)
      const detail = `${peer.actor} (${peer.runtimeType}) on ${peer.host}`
      if (!allowed) denials.denied([deniedBy({ layer: 'link', reason: 'link/no-row', rule: '-', detail })])
      return allowed
    },
  }
  return {
    handlers: {
      ...sealHandlers(area, opened.shares), ...keyHandlers(area), ...secretHandlers(area), ...pkiHandlers(area, mounts),
      ...recoveryHandlers(area, mounts), ...httpHandlers(area),
    },
    lifecycle,
  }
})
