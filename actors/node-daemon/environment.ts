import { kv, type ServiceSpec } from '../records.ts'
import { loginTokenName } from '../session.ts'
import type { Read } from './converge.ts'

export interface EnvironmentOptions {
  readonly zone: string
  readonly host: string
  /** The device document of this host. */
  readonly device: string | undefined
  readonly read: Read
  /** A login token for a service that starts now. */
  readonly login: (spec: ServiceSpec) => string
}

/** No spec may set what the zone, or the originals, document: nor any name that may come to be one. */
const DOCUMENTED = /^(?:ZONEWRIGHT|BUCKYOS)_/

const upper = (name: string): string => name.toUpperCase().replaceAll('-', '_')

/** `ALICE_NOTES_TOKEN` of a user's app, `NOTES_SESSION_TOKEN` of the system's own service. */
export const tokenName = ({ owner, appid }: Pick<ServiceSpec, 'owner' | 'appid'>): string =>
  owner === null ? loginTokenName(appid) : `${upper(owner)}_${upper(appid)}_TOKEN`

/** What a service that is a process starts with, under the names of the originals: good for one start. */
export async function environmentOf(
  spec: ServiceSpec, { zone, host, device, read, login }: EnvironmentOptions,
): Promise<Record<string, string>> {
  const boot = await read(kv.bootConfig)
  const own = Object.entries(spec.run?.env ?? {}).filter(([name]) => !DOCUMENTED.test(name))
  return {
    ...Object.fromEntries(own),
    ZONEWRIGHT_ZONE: zone,
    ZONEWRIGHT_HOST: host,
    ZONEWRIGHT_SERVICE: spec.name,
    BUCKYOS_APP_ID: spec.appid,
    ...(spec.owner === null ? {} : { BUCKYOS_OWNER_USER_ID: spec.owner }),
    ...(boot ? { BUCKYOS_ZONE_CONFIG: boot.value } : {}),
    ...(device === undefined ? {} : { BUCKYOS_THIS_DEVICE: device }),
    [tokenName(spec)]: login(spec),
  }
}
