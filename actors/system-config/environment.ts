import type { ActorStart } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import type { PublicJwk } from '../../runtime/platform/ports.ts'
import { thumbprint, trustKeyOf, verifyDocument } from '../../runtime/trust/keys.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { DeviceDocument, deviceDocumentType } from '../records.ts'
import { keyReason } from '../trust-matrix.ts'
import { verifyZoneDocument } from '../zone-document.ts'

export interface Environment {
  /** The first trust key (seed: BOOT 1). */
  readonly device: TrustKey
  /** The owner key that `boot/config` is to name as root. */
  readonly root: PublicJwk
  /** That tokens carry until `boot/config` says so itself. */
  readonly epoch: number
  /** This host has booted a zone before. */
  readonly booted: boolean
  /** Only the zone's own change of its epoch runs here: every actor that could hold a lease has ended. */
  readonly alone: boolean
}

/**
 * Both documents come from the supervisor of this host; one has to fit the other, the zone and the host.
 * @throws StartFailed
 */
export function readEnvironment({ env, keys, self }: Pick<ActorStart, 'env' | 'keys' | 'self'>): Environment {
  const zone = verifyZoneDocument(keys, required(env, 'BUCKYOS_ZONE_DOC'))
  if (!zone.accepted) throw wrong('BUCKYOS_ZONE_DOC', zone.denial.reason)
  if (zone.payload.zone !== self.zone) throw wrong('BUCKYOS_ZONE_DOC', `it is of zone ${zone.payload.zone}`)
  const { root } = zone.payload
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
    alone: env['ZONEWRIGHT_ALONE'] === '1',
  }
}

function required(env: Readonly<Record<string, string>>, name: string): string {
  const text = env[name]
  if (text === undefined || text === '') throw new StartFailed(`The ENV of system-config lacks ${name}`)
  return text
}

const wrong = (name: string, what: string): Error =>
  new StartFailed(`The ENV of system-config has a wrong ${name}: ${what}`)
