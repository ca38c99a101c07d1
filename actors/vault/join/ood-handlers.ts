import { JOIN_SEQUENCE, joinStep } from '../../join-steps.ts'
import { perUnseal, type Unsealed } from '../core.ts'
import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { zonePki } from '../pki/handlers.ts'
import { VaultSealed } from '../protocol.ts'
import { ownerWordOf } from './approval.ts'
import { createOodJoins } from './ood.ts'
import { openJoinTokens } from './tokens.ts'

type Methods = 'enrolOod' | 'oodRequests' | 'approveOod' | 'refuseOod'

/** Hosts that join as OODs, by the owner's approval. */
export function oodHandlers(
  { start, core, guarded }: Area, mountsOf = zonePki({ start, core }),
): Pick<VaultHandlers, Methods> {
  const { step, log, env, secrets, self: { zone } } = start
  const { keys, random, clock } = core.ports
  const owner = () => ownerWordOf(keys, zone, {
    zone: env['BUCKYOS_ZONE_DOC'] ?? '', device: env['BUCKYOS_THIS_DEVICE'] ?? '',
  })
  const unsealKey = (): string => {
    const key = secrets['unseal-key']
    if (key === undefined || key === '') throw new VaultSealed('The vault was given no unseal key; put unseal.key back')
    return key
  }
  const joining = perUnseal((vault: Unsealed) => {
    const ports = { barrier: vault.barrier, keys, random, clock }
    const mounts = mountsOf(vault)
    return createOodJoins({
      ...ports, zone, tokens: openJoinTokens(ports), pki: mounts.get('pki')!, etcd: mounts.get('pki-etcd')!, owner,
      unsealKey,
    })
  })
  return {
    enrolOod: guarded.open('enrolOod', noResource, async (asked, { vault, note }) => {
      const { request, issued } = await joining(vault).enrol(asked)
      const { token: jti, device, host } = request
      note({ jti, device, host, ...(issued ? { serial: issued.serial, retried: issued.retried } : { waiting: true }) })
      if (!issued) return { request }
      const { serial, retried } = issued
      step(JOIN_SEQUENCE, joinStep.certificateSigned, { serial, jti, device, retried })
      if (!retried) log.info('A host became an OOD', { host, device, serial })
      return { request, issued }
    }),
    oodRequests: guarded.open('oodRequests', noResource, async (_, { vault }) =>
      ({ requests: [...await joining(vault).requests()] })),
    approveOod: guarded.open('approveOod', noResource, async ({ host, document }, { vault, note }) => {
      const request = await joining(vault).approve(host, document)
      note({ host, device: request.device, jti: request.token })
      log.info('The owner has approved a host that wants to be an OOD', { host, device: request.device })
      return request
    }),
    refuseOod: guarded.open('refuseOod', noResource, async ({ host, device, by }, { vault, note }) => {
      const request = await joining(vault).refuse(host, device, by)
      note({ host, device, jti: request.token })
      log.info('A host that wants to be an OOD was refused', { host, device, by })
      return request
    }),
  }
}
