import { messageOf } from '../../../runtime/errors.ts'
import type { SigningKey } from '../../../runtime/platform/ports.ts'
import type { EnginePorts } from '../engine.ts'
import { openAuthorities, type Authorities } from './book.ts'
import { zoneMounts, type MountShape } from './built-in.ts'
import { openCertificates, type Certificates } from './certificates.ts'
import { createIssuing, type Issuing } from './issue.ts'
import { createRevocation, type Revocation } from './revocation.ts'
import { openRoles, type Roles } from './role-store.ts'
import { rootSet, type Roots } from './root-set.ts'
import { createRotation, type Rotation } from './rotation.ts'
import { openSettings, type SettingsStore } from './settings.ts'
import { safetyMs, tidy, type Tidied } from './tidy.ts'

export interface PkiOptions {
  /** `pki` and `pki-etcd` are the zone's own: they have authorities and roles of their own making. */
  readonly mount: string
  readonly ports: EnginePorts
  readonly zone: string
  /** DNS names under which the zone is reached from outside, beside its own. */
  readonly hostnames?: readonly string[]
  /** The vault's named key `anchor`, which signs the root set of the zone. */
  readonly anchor?: () => Promise<SigningKey>
}

/** One mount of the PKI engine. */
export interface Pki {
  readonly mount: string
  readonly ports: EnginePorts
  /** Undefined where a client of Vault makes the authorities. */
  readonly shape: MountShape | undefined
  readonly authorities: Authorities
  readonly rotation: Rotation
  readonly issuing: Issuing
  readonly certificates: Certificates
  readonly revocation: Revocation
  readonly roles: Roles
  readonly settings: SettingsStore
  /** Milliseconds of safety; what ended before is forgotten. */
  tidy(safety?: number): Promise<Tidied>
  /** The same behind who asks; one at a time. */
  startTidy(safety: number): void
  tidyStatus(): TidyStatus
  /** The signed root set of the zone. */
  roots(): Promise<Roots>
}

export interface TidyStatus extends Partial<Tidied> {
  readonly state: 'Inactive' | 'Running' | 'Finished' | 'Error'
  readonly safety?: number
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly error?: string
}

const HOUR = 3_600
/** Vault's own, where a client mounts it. */
const CRL_SECONDS = 72 * HOUR
const ZONE_CRL_SECONDS = 24 * HOUR

/** What a client of Vault makes step by step is named by that client; a rotation follows the zone's rules. */
const foreignShape: MountShape = { intermediate: false, identities: false, commonName: (zone) => `${zone} root` }

export function createPki({ mount, ports, zone, hostnames = [], anchor }: PkiOptions): Pki {
  const shape = zoneMounts[mount]
  const { barrier, clock } = ports
  const settings = openSettings(barrier, { crlSeconds: shape ? ZONE_CRL_SECONDS : CRL_SECONDS, crlUrls: [] })
  const crlLifeMs = async (): Promise<number> => (await settings.read()).crlSeconds * 1_000
  const authorities = openAuthorities(ports)
  const certificates = openCertificates(barrier)
  const revocation = createRevocation({ ports, authorities, certificates, crlLifeMs })
  const rotation = createRotation({
    mount, zone, ports, authorities, shape: shape ?? foreignShape, crlLifeMs,
    unexpired: (by) => certificates.unexpired(by, clock.now()),
  })
  const issuing = createIssuing({
    ports, authorities, zone: { zone, hostnames, identities: shape?.identities ?? false },
    crlUrls: async () => (await settings.read()).crlUrls,
  })
  const runTidy = (safety: number): Promise<Tidied> =>
    tidy({ ports, authorities, certificates, revocation }, safety)
  let tidyStatus: TidyStatus = { state: 'Inactive' }
  return {
    mount, ports, shape, authorities, rotation, issuing, certificates, revocation, settings,
    roles: openRoles(mount, barrier),
    tidy: (safety = safetyMs) => runTidy(safety),
    startTidy(safety) {
      if (tidyStatus.state === 'Running') return
      const begun = { safety, startedAt: clock.now() }
      tidyStatus = { ...begun, state: 'Running' }
      runTidy(safety).then(
        (tidied) => { tidyStatus = { ...begun, ...tidied, state: 'Finished', finishedAt: clock.now() } },
        (error: unknown) => { tidyStatus = { ...begun, state: 'Error', error: messageOf(error) } },
      )
    },
    tidyStatus: () => tidyStatus,
    roots() {
      if (anchor === undefined) throw new Error(`This mount has no anchor: ${mount}`)
      return rootSet({ zone, ports, authorities, anchor })
    },
  }
}
