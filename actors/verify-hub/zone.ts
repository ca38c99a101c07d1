import { Denied, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { Client, Infer, Schema } from '../../runtime/protocol.ts'
import { thumbprint, trustKeyOf } from '../../runtime/trust/keys.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { readDeviceBy, type ReadDevice } from '../read-device.ts'
import { kv, readRecord, type DeviceDocument } from '../records.ts'
import { BootConfig, type SystemConfig } from '../system-config/protocol.ts'
import { VerifyHubKeyMismatch } from './protocol.ts'
import type { SigningKeys } from './signing-keys.ts'
import { ISSUER, type SelfSession } from './tokens.ts'

export type Config = Client<typeof SystemConfig>
/** All that a question to verify-hub reads by. */
export type Reader = Pick<Config, 'get'>

type Item = Awaited<ReturnType<Config['get']>>

export interface Device {
  readonly document: DeviceDocument
  readonly key: TrustKey
}

/** What verify-hub knows of its zone: `boot/config` as last read, and how to read the rest. Nothing else is kept. */
export interface Zone {
  /** As last read. */
  readonly boot: BootConfig
  /** verify-hub's own session token, to speak to system-config with. */
  token(): string
  /** Keys below the prefix with this last segment, of those behind `after` as many as fit. */
  page(prefix: string, leaf: string, after: string): Promise<{
    readonly items: readonly { readonly key: string }[]; readonly more?: boolean | undefined
  }>
  /** The root key and verify-hub's own, by the `iss` that they sign for. */
  keyOf(issuer: string, kid: string): TrustKey | undefined
  /** Values of keys, in order, as verify-hub may read them. */
  read(config: Reader, ...keys: readonly string[]): Promise<readonly (string | undefined)[]>
  /** Reads `boot/config` again. @throws VerifyHubKeyMismatch when it names a key that the vault lacks */
  refresh(config: Reader): Promise<void>
  /** The record in a value just read. One that has not changed is not parsed again. @throws RecordInvalid */
  record<S extends Schema>(schema: S, key: string, text: string): Infer<S>
  /** The registered device, if its document is there, names it, and the owner or the enrolment signed it. */
  device(host: string, text: string | undefined): Device | undefined
}

/** Names that sign for themselves: no device may sign for them. */
const RESERVED = new Set(['root', ISSUER])

/** `epoch` is assumed until `boot/config` says which it is. @throws VerifyHubKeyMismatch */
export async function openZone(
  config: Config, options: { clock: Clock; keys: Keys; signing: SigningKeys; self: SelfSession; epoch: number },
): Promise<Zone> {
  const { clock, keys, signing, self } = options
  let { epoch } = options
  let text: string | undefined
  let revision = 0
  let boot: BootConfig
  let trusted: readonly TrustKey[] = []
  let readDevice: ReadDevice = () => undefined
  const documents = new Map<string, Device | undefined>()
  const records = new Map<string, { readonly text: string; readonly value: unknown }>()

  /** Of this moment: nothing of it has left yet, so that each of them comes after all who ask. */
  const asked = new Map<string, Promise<Item>>()
  const get = (client: Reader, name: string, token: string): Promise<Item> => {
    const known = asked.get(name)
    // The other's call may have been cancelled
    if (known) return known.catch(() => client.get({ key: name }, { token }))
    const item = client.get({ key: name }, { token })
    if (asked.size === 0) clock.soon(() => asked.clear())
    asked.set(name, item)
    return item
  }

  const ask = async (client: Reader, names: readonly string[]) => {
    const token = self.current(epoch)
    try {
      return await Promise.all(names.map((name) => get(client, name, token)))
    } catch (error) {
      throw error instanceof Denied ? refusedByConfig(error, signing.current.public.kid) : error
    }
  }
  const items: typeof ask = (client, names) => ask(client, names).catch((error: unknown) => {
    if (!(error instanceof VerifyHubKeyMismatch)) throw error
    return signing.inTurn(() => ask(client, names), error)
  })

  const install = async (value: string, of: number): Promise<void> => {
    if (value === text) return
    const next = readRecord(BootConfig, kv.bootConfig, value)
    await signing.follow(next.verifyHub.map((jwk) => thumbprint(keys, jwk)), of)
    trusted = [
      trustKeyOf(keys, next.root, 'boot-config.root', 'root'),
      ...next.verifyHub.map((jwk) => trustKeyOf(keys, jwk, 'boot-config.verify-hub', ISSUER)),
    ]
    // Documents are judged by the root key
    documents.clear()
    readDevice = readDeviceBy(keys, next)
    text = value
    boot = next
    epoch = next.epoch
  }
  let installing: Promise<void> | undefined

  const refresh: Zone['refresh'] = async (client) => {
    const [item] = await items(client, [kv.bootConfig])
    if (!item) throw new VerifyHubKeyMismatch('There is no boot/config that names the key of verify-hub')
    // Of two answers that overtake each other the older one changes nothing
    if (item.revision >= revision && item.value !== text) {
      revision = item.revision
      const before = installing?.catch(() => {})
      const mine = (before ?? Promise.resolve()).then(() => install(item.value, item.revision))
      const forget = (): void => { if (installing === mine) installing = undefined }
      installing = mine
      mine.then(forget, forget)
    }
    // A change on its way: a key of it is read from the vault, and until then nothing is answered by what was before
    if (installing) await installing
  }

  await refresh(config)

  return {
    get boot() {
      return boot
    },
    token: () => self.current(epoch),
    keyOf: (issuer, kid) => trusted.find((one) => one.issuer === issuer && one.kid === kid),
    read: async (client, ...names) => (await items(client, names)).map((item) => item?.value),
    page: (prefix, leaf, after) =>
      config.dump({ prefixes: [prefix], leaves: [leaf], page: { after } }, { token: self.current(epoch) }),
    refresh,
    record(schema, name, value) {
      const known = records.get(name)
      // A key has one schema here, so that what is remembered under it has that shape
      if (known?.text === value) return known.value as Infer<typeof schema>
      const parsed = readRecord(schema, name, value)
      if (!known) makeRoom(records, limits.recordsRemembered)
      records.set(name, { text: value, value: parsed })
      return parsed
    },
    device(host, document) {
      if (document === undefined || RESERVED.has(host)) return undefined
      if (!documents.has(document)) {
        makeRoom(documents, limits.deviceDocuments)
        documents.set(document, openDevice(keys, readDevice, document))
      }
      const device = documents.get(document)
      return device?.document.name === host ? device : undefined
    },
  }
}

/** The oldest gives way. */
function makeRoom(map: Map<string, unknown>, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value!)
}

/** Not the caller's fault, who is never told that he was denied. */
function refusedByConfig(error: ZonewrightError, kid: string): ZonewrightError {
  const reason = String(error.details['reason'])
  // system-config trusts the keys that boot/config names: to refuse our session is to say that ours is none of them
  return reason.startsWith('token/')
    ? new VerifyHubKeyMismatch(`system-config refuses the session of verify-hub: ${reason}`, { reason, kid })
    : new Unavailable(`system-config does not let verify-hub read: ${reason}`, { reason })
}

function openDevice(keys: Keys, readDevice: ReadDevice, text: string): Device | undefined {
  const document = readDevice(text)
  return document && { document, key: trustKeyOf(keys, document.key, kv.device(document.name), document.name) }
}
