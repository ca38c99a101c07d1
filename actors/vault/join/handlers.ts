import { JOIN_SEQUENCE, joinStep } from '../../join-steps.ts'
import { limits } from '../../../runtime/limits.ts'
import { perUnseal, type Unsealed } from '../core.ts'
import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { zonePki } from '../pki/handlers.ts'
import { createEnrolling } from './enrol.ts'
import { createJoinedHosts } from './hosts.ts'
import { enrolmentKey } from './register.ts'
import { openJoinTokens, tokenTold } from './tokens.ts'

type Methods = 'createJoinToken' | 'listJoinTokens' | 'revokeJoinToken' | 'checkJoinToken' | 'enrol' | 'renewEnrolment'
  | 'joinedHosts' | 'joinedHost' | 'registerHost' | 'revokeHost'

/** Seed: rk8s-libvault, join steps 2, 12 and 15. */
export function joinHandlers(
  { start, core, guarded }: Area, mountsOf = zonePki({ start, core }),
): Pick<VaultHandlers, Methods> {
  const { step, log, self: { zone } } = start
  const { keys, random, clock } = core.ports
  const joining = perUnseal((vault: Unsealed) => {
    const ports = { barrier: vault.barrier, keys, random, clock }
    const tokens = openJoinTokens(ports)
    const mounts = mountsOf(vault)
    const pki = mounts.get('pki')!
    const signer = () => vault.namedKeys.signing(enrolmentKey)
    const registering = { ...ports, zone, pki, signer }
    const hosts = createJoinedHosts({ ...registering, etcd: mounts.get('pki-etcd') })
    return { tokens, enrolling: createEnrolling({ ...registering, tokens }), hosts }
  })
  return {
    createJoinToken: guarded.open('createJoinToken', noResource, async (asked, { vault, note }) => {
      const made = await joining(vault).tokens.create(asked)
      const { id, host, expiresAt } = made.record
      note({ jti: id, host })
      log.info('A join token was made', { jti: id, host, expiresAt, by: asked.by })
      step(JOIN_SEQUENCE, joinStep.tokenMade, { jti: id, host, expiresAt })
      return made
    }),
    listJoinTokens: guarded.open('listJoinTokens', noResource, async (_, { vault }) =>
      ({ tokens: [...await joining(vault).tokens.list()] })),
    revokeJoinToken: guarded.open('revokeJoinToken', noResource, async ({ id }, { vault, note }) => {
      const revoked = await joining(vault).tokens.revoke(id)
      note({ jti: id })
      log.info('A join token was revoked', { jti: id, host: revoked.host })
      return revoked
    }),
    checkJoinToken: guarded.open('checkJoinToken', noResource, async ({ token, host }, { vault, note }) => {
      const { tokens } = joining(vault)
      const found = await tokens.find(token)
      tokens.demandGood(found, host)
      note({ jti: found.id })
      step(JOIN_SEQUENCE, joinStep.tokenChecked, { jti: found.id, host })
      return tokenTold(found.id, found.stored, clock.now())
    }),
    enrol: guarded.open('enrol', noResource, async (asked, { vault, note }) => {
      const enrolled = await joining(vault).enrolling.enrol(asked)
      const { serial, token, device, retried } = enrolled
      note({ serial, jti: token, device, retried })
      step(JOIN_SEQUENCE, joinStep.certificateSigned, { serial, jti: token, device, retried })
      return enrolled
    }),
    renewEnrolment: guarded.open('renewEnrolment', noResource, async (asked, { vault, note }) => {
      const enrolled = await joining(vault).enrolling.renew(asked)
      note({ serial: enrolled.serial, device: enrolled.device })
      return enrolled
    }),
    joinedHosts: guarded.open('joinedHosts', noResource, async ({ after }, { vault }) => {
      const { hosts, more } = await joining(vault).hosts.page(after, limits.joinedHostsPage)
      return { hosts: [...hosts], more }
    }),
    joinedHost: guarded.open('joinedHost', noResource, ({ host }, { vault }) => joining(vault).hosts.read(host)),
    registerHost: guarded.open('registerHost', noResource, async ({ host, registrar }, { vault, note }) => {
      const registered = await joining(vault).hosts.register(host, registrar)
      note({ host, device: registered.device })
      return registered
    }),
    revokeHost: guarded.open('revokeHost', noResource, async ({ host, by }, { vault, note }) => {
      const revoked = await joining(vault).hosts.revoke(host, by)
      note({ host, device: revoked.device, serial: revoked.serial })
      log.info('A host was revoked', { host, device: revoked.device, serial: revoked.serial, by })
      return revoked
    }),
  }
}
