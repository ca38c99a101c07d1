import { safeParse } from 'valibot'
import type { ActorStart } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { PublicJwk } from '../../runtime/platform/ports.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { thumbprint, trustKeyOf, verifyDocument } from '../../runtime/trust/keys.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { DeviceDocument, deviceDocumentType } from '../records.ts'
import { keyReason } from '../trust-matrix.ts'
import { ZoneDocument, zoneDocumentType } from '../zone-document.ts'

export interface Environment {
  /** The first trust key (seed: BOOT 1). */
  readonly device: TrustKey
  /** The owner key that `boot/config` is to name as root. */
  readonly root: PublicJwk
  /** That tokens carry until `boot/config` says so itself. */
  readonly epoch: number
  /** This host has booted a zone before. */
  readonly booted: boolean
}

/**
 * Both documents come from the supervisor of this host; one has to fit the other, the zone and the host.
 * @throws StartFailed
 */
export function readEnvironment({ env, keys, self }: Pick<ActorStart, 'env' | 'keys' | 'self'>): Environment {
  const zoneText = required(env, 'BUCKYOS_ZONE_DOC')
  const root = rootNamedBy(zoneText)
  const zone = verifyDocument(keys, zoneText, { typ: zoneDocumentType, schema: ZoneDocument, key: root })
  if (!zone.accepted) throw wrong('BUCKYOS_ZONE_DOC', zone.denial.reason)
  if (zone.payload.zone !== self.zone) throw wrong('BUCKYOS_ZONE_DOC', `it is of zone ${zone.payload.zone}`)
  const rule = { typ: deviceDocumentType, schema: DeviceDocument, key: root }
  const document = verifyDocument(keys, required(env, 'BUCKYOS_THIS_DEVICE'), rule)
  if (!document.accepted) throw wrong('BUCKYOS_THIS_DEVICE', document.denial.reason)
  const device = document.payload
  if (device.zone !== self.zone || device.name !== self.host) {
    throw wrong('BUCKYOS_THIS_DEVICE', `it is of ${device.name} in zone ${device.zone}`)
  }
  if (device.role !== 'ood') throw wrong('BUCKYOS_THIS_DEVICE', `its role is ${device.role}`)
  if (thumbprint(keys, device.key) === thumbprint(keys, root)) {
    throw wrong('BUCKYOS_THIS_DEVICE', 'its key is the owner key')
  }
  return {
    device: trustKeyOf(keys, device.key, keyReason.env, device.name),
    root,
    epoch: zone.payload.epoch,
    booted: env['ZONEWRIGHT_BOOTED'] === '1',
  }
}

/** The document names the key that must have signed it; what makes it true is that the supervisor gave it. */
function rootNamedBy(text: string): PublicJwk {
  const parsed = parseCompact(text, limits.document)
  const content = 'fault' in parsed ? undefined : safeParse(ZoneDocument, parsed.jws.payload)
  if (!content?.success) throw wrong('BUCKYOS_ZONE_DOC', 'it is not a zone document')
  return content.output.root
}

function required(env: Readonly<Record<string, string>>, name: string): string {
  const text = env[name]
  if (text === undefined || text === '') throw new StartFailed(`The ENV of system-config lacks ${name}`)
  return text
}

const wrong = (name: string, what: string): Error =>
  new StartFailed(`The ENV of system-config has a wrong ${name}: ${what}`)
