import { safeParse } from 'valibot'
import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf, Overloaded, RevisionMismatch, StartFailed, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { PublicJwk } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { Servers, type HostsDocument } from '../host-identity.ts'
import type { NodeDaemon } from '../node-daemon/protocol.ts'
import { readDeviceBy, readEnrolmentCertificate, type ReadDevice } from '../read-device.ts'
import { isName, kv, type DeviceDocument } from '../records.ts'
import { KeyExists, KeyNotFound, type SystemConfig } from '../system-config/protocol.ts'
import { JoinRefused, NotInVault, type JoinedHost, type Registrar, type Vault } from '../vault/protocol.ts'
import { verifyZoneDocument } from '../zone-document.ts'
import { nextShared } from './next-shared.ts'

/** What a host needs to judge others, and nothing that it could not judge itself. */
export interface TrustTold {
  readonly zoneDocument: string
  readonly oods: string[]
  readonly certificates: string[]
}

/** Which hosts are registered: the vault decides, and `devices/{host}/doc` is to say the same. */
export interface Registrations {
  readonly registrar: Registrar
  /** The owner key. */
  readonly owner: PublicJwk
  told(): Promise<TrustTold>
  /** The control plane: as hosts are told of it, and where each of it is reached, by name. */
  hosts(): Promise<{ readonly document: string; readonly servers: ReadonlyMap<string, readonly string[]> }>
  /** Says where this host is reached by others. */
  reachedAt(servers: readonly string[]): Promise<void>
  /**
   * @throws JoinRefused where the owner has signed for a host of this name, or a user has it: that is nobody's here
   * @returns what lies there now
   */
  demandFree(host: string): Promise<There | undefined>
  /**
   * Nobody becomes an OOD under a name that the owner has given to another key, or to this host itself.
   * @throws JoinRefused
   */
  demandOod(host: string, key?: PublicJwk): Promise<void>
  /** Its document as it lies in `kv://`. */
  stored(host: string): Promise<string | undefined>
  /**
   * Makes `kv://` say of this host what the vault says; a retry changes nothing. With `first` that is written before
   * either side is looked at; what was overtaken by then is found as they are. @returns its document
   */
  settle(host: string, first?: Written): Promise<string | undefined>
  /**
   * The same for all, of whom it is not so. @returns how many were put right
   * @throws when all were looked at, what the first failed by that could not be put right
   */
  sweep(): Promise<number>
}

/** What the vault has just registered, and what lay in `kv://` before. */
export interface Written { readonly document: string; readonly there: There | undefined }
/** A key of `kv://` as it was found. */
export interface There { readonly value: string; readonly revision: number }

type Config = Pick<Client<typeof SystemConfig>, 'get' | 'set' | 'execTx' | 'dump'>

interface Ports extends Pick<ActorStart, 'keys' | 'self' | 'log'> {
  readonly systemConfig: Config
  readonly vault: Pick<Client<typeof Vault>, 'ensureKey' | 'joinedHost' | 'joinedHosts' | 'registerHost'>
  readonly nodeDaemon: Pick<Client<typeof NodeDaemon>, 'certifyEnrolment'>
  /** The session of enrolment. */
  readonly token: () => string
}

/** Has this OOD stand for the enrolment key, in `kv://`, before anybody is registered. @throws StartFailed */
export async function openRegistrations(ports: Ports): Promise<Registrations> {
  const { keys, self, log, systemConfig, vault, nodeDaemon, token } = ports
  const get = async (key: string) => await systemConfig.get({ key }, { token: token() }) ?? undefined
  const { publicKey } = await vault.ensureKey({ name: 'enrolment' })
  const fresh = await nodeDaemon.certifyEnrolment({ key: publicKey })
  const zone = verifyZoneDocument(keys, fresh.zone)
  if (!zone.accepted || zone.payload.zone !== self.zone) throw new StartFailed('The zone document is of another zone')
  const readDevice = readDeviceBy(keys, zone.payload)
  const { ood, document: own } = await ownDocument(readDevice, [(await get(kv.device(self.host)))?.value, fresh.ood])
  const kept = (await get(kv.enrolment(self.host)))?.value
  const isGood = kept !== undefined && readEnrolmentCertificate(keys, kept, own)?.key.x === publicKey.x
  const certificate = isGood ? kept : fresh.certificate
  if (!isGood) {
    await systemConfig.set({ key: kv.enrolment(self.host), value: certificate }, { token: token() })
    log.info('This host stands for the key that registers hosts', { kid: keys.importJwk(publicKey).kid })
  }
  const registrar: Registrar = { ood, certificate, owner: own.owner }

  /** As it is to stand in `kv://`, signed anew where nobody stands for it any more. */
  const documentOf = async (joined: JoinedHost): Promise<string | undefined> => {
    if (joined.revokedAt !== undefined) return undefined
    const { host, document } = joined
    const signed = document === undefined ? undefined : readDevice(document)
    if (signed?.name === host && signed.enrolment && await stands(signed.enrolment)) return document
    const { revokedAt, document: anew } = await vault.registerHost({ host, registrar })
    return revokedAt === undefined ? anew : undefined
  }
  const isByThis = (text: string, host: string): boolean => {
    const { name, enrolment: by } = readDevice(text) ?? {}
    return name === host && by?.certificate === certificate && by.ood === ood
  }
  const stands = async (by: NonNullable<DeviceDocument['enrolment']>): Promise<boolean> => {
    if (by.certificate === certificate && by.ood === ood) return true
    const name = readDevice(by.ood)?.name ?? self.host
    const [device, certified] = await Promise.all([get(kv.device(name)), get(kv.enrolment(name))])
    return device?.value === by.ood && certified?.value === by.certificate
  }
  const ownersDocument = (text: string | undefined): boolean => {
    const device = text === undefined ? undefined : readDevice(text)
    return device !== undefined && device.enrolment === undefined
  }
  const ownerHas = (host: string): Error =>
    new JoinRefused(`The owner has signed for a host of this name: ${host}`, { reason: 'owned' })

  /** Page by page: those of all hosts may be more than one message holds. */
  const documentsNow = async (): Promise<ReadonlyMap<string, string>> => {
    const stored = new Map<string, string>()
    for (let after = ''; ;) {
      const query = { prefixes: ['devices/'], leaves: ['doc'], page: { after } }
      const { items, more } = await systemConfig.dump(query, { token: token() })
      for (const { key, value } of items) stored.set(key, value)
      const last = items.at(-1)
      if (!more || last === undefined) return stored
      after = last.key
    }
  }

  /** One look at both sides, and one transaction. @returns whether they say the same now */
  const settleOnce = async (host: string, joined: JoinedHost): Promise<string | true | undefined> => {
    const key = kv.device(host)
    // The owner key makes an OOD, and takes it away
    if (joined.role === 'ood') return joined.revokedAt === undefined ? joined.document ?? true : true
    const there = await get(key)
    const wanted = await documentOf(joined)
    if (there?.value === wanted) return wanted ?? true
    if (ownersDocument(there?.value)) {
      if (wanted === undefined) return true
      throw ownerHas(host)
    }
    await write(host, wanted, there)
    // Whoever was revoked meanwhile is looked at again
    return undefined
  }
  /** Unless somebody was faster. */
  const write = async (host: string, wanted: string | undefined, there: There | undefined): Promise<void> => {
    const key = kv.device(host)
    const action = wanted === undefined ? { action: 'remove' as const }
      : { action: there ? 'update' as const : 'create' as const, value: wanted }
    try {
      await systemConfig.execTx({
        actions: { [key]: action }, mainKey: { key, revision: there?.revision ?? 0 },
      }, { token: token() })
      log.info(wanted === undefined ? 'A host is registered no more' : 'A host was registered', { host })
    } catch (error) {
      if (!isOvertaken(error)) throw error
    }
  }

  /** Documents of OODs, each with its certificate, that were found good: with each join the same is told. */
  const toldGood = new Map<string, string>()
  const isStanding = (text: string, value: string): boolean => {
    if (toldGood.get(text) === value) return true
    const device = readDevice(text)
    if (!device || !readEnrolmentCertificate(keys, value, device)) return false
    if (toldGood.size >= limits.enrolmentStandings) toldGood.clear()
    toldGood.set(text, value)
    return true
  }
  /** Hosts of the control plane that stand for the enrolment key. */
  const readOods = async () => {
    const prefix = kv.enrolment('')
    const { items } = await systemConfig.dump({ prefixes: [prefix] }, { token: token() })
    const addresses = new Map(items.map(({ key, value }) => [key, value]))
    const all = await Promise.all(items.map(async ({ key, value }) => {
      const name = key.slice(prefix.length)
      const text = isName(name) ? (await get(kv.device(name)))?.value : undefined
      if (text === undefined || !isStanding(text, value)) return undefined
      return { name, text, certificate: value, servers: serversIn(addresses.get(kv.servers(name))) }
    }))
    return all.filter((one) => one !== undefined)
  }
  const oodsNow = nextShared(readOods)

  const registrations: Registrations = {
    registrar, owner: zone.payload.root,
    async told() {
      const oods = await oodsNow()
      return {
        zoneDocument: fresh.zone, oods: oods.map(({ text }) => text),
        certificates: oods.map(({ certificate: text }) => text),
      }
    },
    async hosts() {
      const oods = await oodsNow()
      const document: HostsDocument = {
        zoneDocument: fresh.zone, oods: oods.map(({ text, servers }) => ({ document: text, servers: [...servers] })),
      }
      return { document: JSON.stringify(document), servers: new Map(oods.map(({ name, servers }) => [name, servers])) }
    },
    async reachedAt(servers) {
      const [key, value] = [kv.servers(self.host), JSON.stringify(servers.slice(0, limits.oodServers))]
      if ((await get(key))?.value !== value) await systemConfig.set({ key, value }, { token: token() })
    },
    async demandFree(host) {
      if (!isName(host)) return undefined
      const [device, user] = await Promise.all([get(kv.device(host)), get(kv.user(host))])
      if (ownersDocument(device?.value)) throw ownerHas(host)
      if (user) throw new JoinRefused(`A user has this name: ${host}`, { reason: 'owned' })
      return device
    },
    async demandOod(host, key) {
      const text = isName(host) ? (await get(kv.device(host)))?.value : undefined
      const device = text === undefined || !ownersDocument(text) ? undefined : readDevice(text)
      if (!device) return
      const isIts = device.role === 'ood' && (key === undefined || device.key.x === key.x) && host !== self.host
      if (!isIts) throw ownerHas(host)
    },
    stored: async (host) => (await get(kv.device(host)))?.value,
    async settle(host, first) {
      // Nothing follows from it: whoever was revoked meanwhile, or signed for by the owner, is found by the looks below
      if (first && first.there?.value !== first.document && isByThis(first.document, host)) {
        await write(host, first.document, first.there)
      }
      for (let attempt = 0; attempt < limits.registrationAttempts; attempt++) {
        const settled = await settleOnce(host, await vault.joinedHost({ host }))
        if (settled !== undefined) return settled === true ? undefined : settled
      }
      throw new Overloaded(`Other writers of ${kv.device(host)} were faster ${limits.registrationAttempts} times`)
    },
    async sweep() {
      const stored = await documentsNow()
      let settled = 0
      const failed: Error[] = []
      for (let after: string | undefined; ;) {
        const { hosts, more } = await vault.joinedHosts(after === undefined ? {} : { after })
        for (const { host, role, document, revokedAt } of hosts) {
          if (role === 'ood') continue
          const there = stored.get(kv.device(host))
          const isSaid = revokedAt === undefined ? there !== undefined && there === document : there === undefined
          // Of a name that the owner has signed for since, nothing is said
          if (isSaid || ownersDocument(there)) continue
          try {
            await registrations.settle(host)
            settled++
          } catch (error) {
            // Others are not to wait for one
            failed.push(error as Error)
            log.warn(`The registration of a host could not be put right: ${messageOf(error)}`, { host })
          }
        }
        after = hosts.at(-1)?.host
        if (more && after !== undefined) continue
        if (failed.length > 0) throw failed[0]!
        return settled
      }
    },
  }
  return registrations
}

/** None where nothing good stands. */
function serversIn(text: string | undefined): readonly string[] {
  try {
    const parsed = safeParse(Servers, JSON.parse(text ?? '[]'))
    return parsed.success ? parsed.output : []
  } catch {
    return []
  }
}

/** What stands in `kv://` is what others go by. @throws StartFailed */
async function ownDocument(readDevice: ReadDevice, texts: readonly (string | undefined)[]) {
  for (const ood of texts) {
    const document = ood === undefined ? undefined : readDevice(ood)
    if (ood !== undefined && document?.role === 'ood') return { ood, document }
  }
  throw new StartFailed('The owner has not signed for this OOD')
}

const isOvertaken = (error: unknown): boolean => error instanceof ZonewrightError
  && [RevisionMismatch, KeyExists, KeyNotFound].some((kind) => error instanceof kind)

export const isNotJoined = (error: unknown): boolean => error instanceof NotInVault
