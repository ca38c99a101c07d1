import { actor, type Lifecycle } from '../../runtime/actor.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { INIT_ENV, INIT_SEQUENCE, initStep } from '../init-steps.ts'
import { openAudit } from './audit/audit.ts'
import { createCore } from './core.ts'
import { createGuarded, type Area } from './guarded.ts'
import { keyHandlers } from './handlers/keys.ts'
import { recoveryHandlers } from './handlers/recovery.ts'
import { sealHandlers } from './handlers/seal.ts'
import { secretHandlers } from './handlers/secrets.ts'
import { httpHandlers } from './http/handlers.ts'
import { joinHandlers } from './join/handlers.ts'
import { oodHandlers } from './join/ood-handlers.ts'
import { pkiHandlers, zonePki } from './pki/handlers.ts'
import { mayLink } from './policy.ts'
import { Vault, VaultSealed } from './protocol.ts'
import { createSealLife } from './seal/life.ts'
import { unseal } from './unseal.ts'

/** Name of the vault's own key that signs the audit. */
const AUDIT_KEY = 'audit'

const said = { initialised: 'Vault initialised', unsealed: 'Vault unsealed', sealed: 'Vault sealed' } as const

export default actor(Vault, {}, async (start) => {
  const { store, keys, clock, log, self, denials, env, secrets } = start
  const random = start.random.fork('vault')
  const audit = await openAudit(start)
  const core = createCore({
    ports: { store, keys, random, clock }, audit,
    reopen: () => unseal({ store, keys, random }, { 'unseal-key': secrets['unseal-key'] ?? '' }),
  })
  if (audit.isKept) {
    core.onUnsealed(async ({ namedKeys }) => {
      await namedKeys.ensure(AUDIT_KEY)
      await audit.useKey(await namedKeys.signing(AUDIT_KEY))
    })
  }
  const life = createSealLife({
    core, audit, secrets, booted: env['ZONEWRIGHT_BOOTED'] === '1',
    onChange(state) {
      const { vaultId, term } = core.unsealed ?? {}
      log.info(said[state], vaultId === undefined ? {} : { vaultId, term: term ?? 0 })
      if (env[INIT_ENV] !== 'start' || vaultId === undefined) return
      start.step(INIT_SEQUENCE, initStep.vaultUnsealed, { vaultId, term: term ?? 0, store: store.id })
    },
  })
  try {
    await life.start()
  } catch (error) {
    // A vault that is for itself waits, sealed or without anything in it, for who initialises or unseals it
    if (!(error instanceof VaultSealed) || env['ZONEWRIGHT_VAULT_SEALED'] !== '1') {
      await audit.close()
      throw error
    }
    log.info(`The vault stays sealed: ${error.message}`)
  }
  const area: Area = { start, core, audit, life, guarded: createGuarded({ start, core, audit }) }
  const mounts = zonePki(area)

  // No `authenticate`: callers are known by their link certificate, and every token is denied.
  const lifecycle: Lifecycle = {
    admit: (peer) => {
      const allowed = mayLink(peer, self)
      const detail = `${peer.actor} (${peer.runtimeType}) on ${peer.host}`
      if (!allowed) denials.denied([deniedBy({ layer: 'link', reason: 'link/no-row', rule: '-', detail })])
      return allowed
    },
    stop: () => audit.close(),
  }
  return {
    handlers: {
      ...sealHandlers(area), ...keyHandlers(area), ...secretHandlers(area), ...pkiHandlers(area, mounts),
      ...joinHandlers(area, mounts), ...oodHandlers(area, mounts), ...recoveryHandlers(area, mounts),
      ...httpHandlers(area),
    },
    lifecycle,
  }
})
