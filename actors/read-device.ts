import { safeParse } from 'valibot'
import { limits } from '../runtime/limits.ts'
import type { Keys, PublicJwk, VerifyKey } from '../runtime/platform/ports.ts'
import { parseCompact, type JwsResult } from '../runtime/trust/jws.ts'
import { importedKey, verifyDocument, verifyParsed } from '../runtime/trust/keys.ts'
import {
  DeviceDocument, deviceDocumentType, EnrolmentCertificate, enrolmentCertificateType,
} from './records.ts'
import { isReserved } from './trust-matrix.ts'

/** A device document, checked: undefined for what is none of the zone's. */
export type ReadDevice = (text: string) => DeviceDocument | undefined

interface ZoneRoot {
  readonly zone: string
  readonly root: PublicJwk
}

type Enrolment = NonNullable<DeviceDocument['enrolment']>

/** What an enrolment key stands by, checked. */
interface Standing {
  /** The OOD that certified it. */
  readonly ood: DeviceDocument
  /** The enrolment key. */
  readonly key: VerifyKey
}

/**
 * The one function that judges device documents. One counts when the owner key signed it, for this zone; and for a
 * node or a client device, when an enrolment key did: owner → document of an OOD → its certificate of the key → it.
 * Whether the host is registered is another question: then its document lies in `kv://`.
 */
export function readDeviceBy(keys: Keys, { zone, root }: ZoneRoot): ReadDevice {
  const rule = { typ: deviceDocumentType, schema: DeviceDocument } as const
  const owner = importedKey(keys, root)
  // The same text has the same signatures; strangers' texts, which are good for nothing, push none of these out
  const good = new Map<string, DeviceDocument>()
  const remember = (text: string, document: DeviceDocument): DeviceDocument => {
    if (good.size >= limits.deviceDocuments) good.delete(good.keys().next().value!)
    good.set(text, Object.freeze(document))
    return document
  }
  const byOwnerAlone: ReadDevice = (text) => {
    const known = good.get(text)
    if (known) return known.enrolment === undefined ? known : undefined
    const verdict = verifyDocument(keys, text, { ...rule, by: owner })
    if (!verdict.accepted) return undefined
    const { payload } = verdict
    return payload.zone === zone && payload.enrolment === undefined ? remember(text, payload) : undefined
  }
  const standingOf = standings(keys, byOwnerAlone)
  const judge: ReadDevice = (text) => {
    const parsed = parseCompact(text, limits.document)
    const byOwner = verifyParsed(keys, parsed, { ...rule, by: owner })
    if (byOwner.accepted) {
      const { payload } = byOwner
      return payload.zone === zone && payload.enrolment === undefined ? payload : undefined
    }
    if (byOwner.denial.reason !== 'document/unknown-key') return undefined
    const standing = standingOf(claimedIn(parsed))
    const verdict = standing && verifyParsed(keys, parsed, { ...rule, by: standing.key })
    if (!standing || !verdict?.accepted) return undefined
    const { payload } = verdict
    // An OOD is the zone, and only its owner makes one
    const mayBe = payload.role !== 'ood' && payload.name !== standing.ood.name && !isReserved(payload.name)
    return payload.zone === zone && mayBe ? payload : undefined
  }
  return (text) => {
    const known = good.get(text)
    if (known) return known
    const document = judge(text)
    return document && remember(text, document)
  }
}

/** The reader of a zone, made anew only where the zone has another owner key: it remembers what it has read. */
export function deviceReaders(keys: Keys): (root: ZoneRoot) => ReadDevice {
  let last: { readonly of: string; readonly read: ReadDevice } | undefined
  return ({ zone, root }) => {
    const of = `${zone} ${root.x}`
    if (last?.of !== of) last = { of, read: readDeviceBy(keys, { zone, root }) }
    return last.read
  }
}

/** Where the certificate is good, the key that it is of. */
export function readEnrolmentCertificate(
  keys: Keys, text: string, { zone, name, role, key }: Pick<DeviceDocument, 'zone' | 'name' | 'role' | 'key'>,
): EnrolmentCertificate | undefined {
  if (role !== 'ood') return undefined
  const verdict = verifyDocument(keys, text, { typ: enrolmentCertificateType, schema: EnrolmentCertificate, key })
  if (!verdict.accepted || verdict.payload.zone !== zone || verdict.payload.host !== name) return undefined
  return verdict.payload
}

/** The nodes of a zone stand by few certificates: each is checked once, and the oldest is forgotten. */
function standings(keys: Keys, byOwner: ReadDevice): (claimed: Enrolment | undefined) => Standing | undefined {
  const known = new Map<string, Standing | undefined>()
  const check = ({ ood: text, certificate }: Enrolment): Standing | undefined => {
    const ood = byOwner(text)
    const certified = ood && readEnrolmentCertificate(keys, certificate, ood)
    const key = certified && importedKey(keys, certified.key)
    return key && { ood, key }
  }
  return (claimed) => {
    if (claimed === undefined) return undefined
    const name = `${claimed.ood} ${claimed.certificate}`
    if (!known.has(name)) {
      if (known.size >= limits.enrolmentStandings) known.delete(known.keys().next().value!)
      known.set(name, check(claimed))
    }
    return known.get(name)
  }
}

/** Before anything of it is believed. */
function claimedIn(parsed: JwsResult): Enrolment | undefined {
  const claimed = 'fault' in parsed ? undefined : safeParse(DeviceDocument, parsed.jws.payload)
  return claimed?.success ? claimed.output.enrolment : undefined
}
