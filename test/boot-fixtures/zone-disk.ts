import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { array, looseObject, number, string } from 'valibot'
import { createBarrier } from '../../actors/vault/barrier.ts'
import { openVault } from '../../actors/vault/init.ts'
import { termsOf } from '../../actors/vault/keyring.ts'
import type { LoginUse, Session } from '../../actors/verify-hub/sessions.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import type { Entry, Store } from '../../runtime/store/store.ts'

/** What the stores of a zone that does not run hold, as anyone with its folder can read it. */
export interface Disk {
  readonly boot: { readonly text: string; readonly createRevision: number; readonly modRevision: number }
  /** Keys of `kv://` that the revision of `boot/config` made. */
  readonly firstKeys: readonly string[]
  readonly sessions: readonly Session[]
  readonly logins: readonly LoginUse[]
  readonly vaultKids: readonly string[]
  /** Actors that the vault gave the key of verify-hub. */
  readonly grants: readonly string[]
}

const decode = ({ value }: Entry, from = 0): string => new TextDecoder().decode(value.subarray(from))
const json = <T>(entry: Entry): T => JSON.parse(decode(entry)) as T

export async function withStore<T>(folder: string, name: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openEmbeddedStore(join(folder, 'stores', name), { clock, random })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

const NamedKey = looseObject({ versions: array(looseObject({ kid: string() })) })
const Grants = looseObject({ grants: array(looseObject({ actor: string(), incarnation: number() })) })

const readVault = (folder: string) =>
  withStore(folder, 'vault', async (store) => {
    const keys = await createCrypto()
    const unsealKey = (await readFile(join(folder, 'unseal.key'), 'utf8')).trim()
    const { keyring } = await openVault({ store, keys, random, clock }, { 'unseal-key': unsealKey })
    const barrier = createBarrier({ store, random, terms: termsOf(keyring, keys) })
    const key = await barrier.read('keys/verify-hub', NamedKey)
    const given = await barrier.read('grants/keys/verify-hub', Grants)
    return {
      vaultKids: (key?.value.versions ?? []).map(({ kid }) => kid),
      grants: (given?.value.grants ?? []).map(({ actor }) => actor),
    }
  })

const readConfig = (folder: string) =>
  withStore(folder, 'system-config', async (store) => {
    const entry = await store.get('kv/boot/config')
    if (!entry) throw new Error('There is no boot/config on the disk')
    const { entries } = await store.list('kv/')
    const firstKeys = entries.filter(({ createRevision }) => createRevision === entry.createRevision)
    // Each record begins with a byte of format
    const boot = { text: decode(entry, 1), createRevision: entry.createRevision, modRevision: entry.modRevision }
    return { boot, firstKeys: firstKeys.map(({ key }) => key.slice('kv/'.length)) }
  })

const readSessions = (folder: string) =>
  withStore(folder, 'verify-hub', async (store) => {
    const [sessions, logins] = await Promise.all([store.list('sessions/'), store.list('logins/')])
    return {
      sessions: sessions.entries.map((entry) => json<Session>(entry)),
      logins: logins.entries.map((entry) => json<LoginUse>(entry)),
    }
  })

export async function readDisk(folder: string): Promise<Disk> {
  return { ...await readConfig(folder), ...await readSessions(folder), ...await readVault(folder) }
}
