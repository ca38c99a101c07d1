import { actor, type Peer } from '../../runtime/actor.ts'
import { NotFound, type ZonewrightError } from '../../runtime/errors.ts'
import { allowedBy, deniedBy } from '../../runtime/trust/denial.ts'
import { bootStep } from '../boot-steps.ts'
import { createBarrier } from './barrier.ts'
import { openVault } from './init.ts'
import { termsOf } from './keyring.ts'
import { createNamedKeys } from './named-keys.ts'
import { allowingRule, mayLink, type VaultMethod } from './policy.ts'
import { Vault } from './protocol.ts'
import { createSecrets } from './secrets.ts'

export default actor(Vault, {}, async (start) => {
  const { store, keys, clock, log, self, denials, env } = start
  const random = start.random.fork('vault')
  const booted = env['ZONEWRIGHT_BOOTED'] === '1'
  const opened = await openVault({ store, keys, random, clock }, start.secrets, { booted })
  const { vaultId, shares, threshold } = opened.keyring
  const terms = termsOf(opened.keyring, keys)
  const { term } = terms.current
  const barrier = createBarrier({ store, random, terms })
  const namedKeys = createNamedKeys({ barrier, keys, random, clock })
  const secrets = createSecrets({ barrier, clock })
  let recoveryShares = opened.shares
  log.info(recoveryShares ? 'Vault initialised' : 'Vault unsealed', { vaultId, term })

  const refusal = (peer: Peer, method: VaultMethod, rule: string, why: string): ZonewrightError => denials.denied([
    allowedBy('link', 'vault/link-certificate'),
    deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule, detail: `${peer.actor}@${peer.host} ${method}: ${why}` }),
  ])
  const permit = (peer: Peer, method: VaultMethod, resource = '-'): string => {
    const rule = allowingRule(peer, self, method, resource)
    if (rule === undefined) throw refusal(peer, method, '-', 'not allowed')
    return rule
  }

  return {
    handlers: {
      status(_, { peer }) {
        permit(peer, 'status')
        return { initialised: true, sealed: false, term, threshold, shares, vaultId }
      },
      async ensureKey({ name }, { peer }) {
        permit(peer, 'ensureKey', name)
        const key = await namedKeys.ensure(name)
        start.step('boot', bootStep.vaultKeyEnsured, { kid: key.kid, created: key.created })
        return key
      },
      async keyVersions({ name }, { peer }) {
        permit(peer, 'keyVersions', name)
        return [...await namedKeys.versions(name)]
      },
      async rotateKey({ name, after }, { peer }) {
        permit(peer, 'rotateKey', name)
        const { created, ...version } = await namedKeys.next(name, after)
        if (created) log.info('The next version of a key was made', { name, kid: version.kid })
        return { ...version, created }
      },
      async destroyKeysBefore({ name, kid }, { peer }) {
        permit(peer, 'destroyKeysBefore', name)
        const destroyed = await namedKeys.destroyBefore(name, kid)
        if (destroyed > 0) log.info('Versions of a key were destroyed', { name, before: kid, destroyed })
        return { destroyed }
      },
      async readKey({ name, kid }, { peer }) {
        const rule = permit(peer, 'readKey', name)
        const key = await namedKeys.readOnce(name, kid, peer)
        if (key === undefined) throw refusal(peer, 'readKey', rule, 'this incarnation was given the key before')
        start.step('boot', bootStep.vaultKeyRead, { kid: key.kid })
        return key
      },
      putSecret({ path, value, cas, only }, { peer }) {
        permit(peer, 'putSecret', path)
        return secrets.put(path, value, cas, only ? 1 : undefined)
      },
      getSecret({ path }, { peer }) {
        permit(peer, 'getSecret', path)
        return secrets.get(path)
      },
      takeRecoveryShares(_, { peer }) {
        permit(peer, 'takeRecoveryShares')
        if (recoveryShares === undefined) {
          throw new NotFound('There are no recovery shares: they are given once, by the start that made the vault')
        }
        const taken = [...recoveryShares]
        recoveryShares = undefined
        return { shares: taken }
      },
    },
    // No `authenticate`: callers are known by their link certificate, and every token is denied.
    lifecycle: {
      admit: (peer) => {
        const allowed = mayLink(peer, self)
        const detail = `${peer.actor} (${peer.runtimeType}) on ${peer.host}`
        if (!allowed) denials.denied([deniedBy({ layer: 'link', reason: 'link/no-row', rule: '-', detail })])
        return allowed
      },
    },
  }
})
