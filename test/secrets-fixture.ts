/** Secrets of a zone, the ways in which it tells things, and a search for the ones in the others. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Buffer } from 'node:buffer'
import { looseObject, array, string } from 'valibot'
import { createBarrier } from '../actors/vault/barrier.ts'
import { openVault } from '../actors/vault/init.ts'
import { termsOf } from '../actors/vault/keyring.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import { createCrypto } from '../runtime/platform/crypto.ts'
import { systemRandom as random } from '../runtime/platform/random.ts'
import { withStore } from './boot-fixtures/zone-disk.ts'

/** By a name that can be told. */
export type Secrets = Map<string, string>
/** Everything that left, by where. */
export type Places = Map<string, string[]>

export const tell = (places: Places, where: string, what: unknown): void => {
  const text = typeof what === 'string' ? what : JSON.stringify(what, (_, value: unknown) =>
    (value instanceof Error ? { ...value, message: value.message, stack: value.stack } : value))
  places.set(where, [...places.get(where) ?? [], text ?? ''])
}

/** Enough of a secret to use it: all of a short one, and of a long one each of its lines. */
function marks(secret: string): readonly string[] {
  const lines = secret.split('\n').filter((line) => line !== '' && !line.startsWith('-----'))
  return lines.filter((line) => lines.length === 1 || line.length >= 16).map((line) => line.slice(-40))
}

/** As it is, and in the encodings that a careless line of code would put it in. */
const spellings = (mark: string): readonly string[] => [
  mark, encodeURIComponent(mark), JSON.stringify(mark).slice(1, -1), Buffer.from(mark).toString('hex'),
]

/** `secret in place`, sorted. Private keys that nobody was told of are found by their form. */
export function findings(secrets: Secrets, places: Places): readonly string[] {
  const found = new Set<string>()
  for (const [where, texts] of places) {
    for (const text of texts) {
      for (const [name, secret] of secrets) {
        const spelled = marks(secret).flatMap(spellings)
        const bytes = Buffer.from(secret)
        const whole = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
        if ([...spelled, ...whole].some((each) => text.includes(each))) found.add(`${name} in ${where}`)
      }
      if (/PRIVATE KEY-----(?:\\n|\n)?[\w+/]/.test(text) || text.includes('MC4CAQAwBQYDK2VwBCIEI')) {
        found.add(`a private key in ${where}`)
      }
    }
  }
  return [...found].sort()
}

/** What another program of this machine sees of every process. */
export async function commandLines(): Promise<string> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const texts = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return texts.map((text) => text.replaceAll('\0', ' ')).join('\n')
}

/** Text of all files below, as anyone reads it who has the disk. */
export async function filesBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const texts = await Promise.all(entries.filter((entry) => entry.isFile()).map((entry) =>
    readFile(join(entry.parentPath ?? (entry as { path: string }).path, entry.name), 'latin1')))
  return texts.join('\n')
}

const NamedKey = looseObject({ versions: array(looseObject({ pem: string() })) })

/** The private key of verify-hub, from the vault of a zone that does not run. */
export const verifyHubKey = (folder: string): Promise<string> => withStore(folder, 'vault', async (store) => {
  const keys = await createCrypto()
  const unsealKey = (await readFile(join(folder, 'unseal.key'), 'utf8')).trim()
  const { keyring } = await openVault({ store, keys, random, clock }, { 'unseal-key': unsealKey })
  const found = await createBarrier({ store, random, terms: termsOf(keyring, keys) }).read('keys/verify-hub', NamedKey)
  return found!.value.versions.at(-1)!.pem
})
