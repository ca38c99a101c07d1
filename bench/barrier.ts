/**
 * The barrier of the vault against bare AES-256-GCM of node:crypto, both with the same plaintexts: a record is sealed
 * and opened again. The bare side counts its nonces and authenticates the path as well, and copies nothing.
 * Counted is time of this process's own CPU: both sides do nothing but compute, and others may use the machine.
 */
import process from 'node:process'
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import { openRecord, pooledNonces, sealRecord } from '../actors/vault/record.ts'
import { createCrypto } from '../runtime/platform/crypto.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

const SIZES = [256, 1_024, 4_096]
const ROUNDS = 15
const RATIO_MIN = 0.7
const PATH = 'pki/certificates/0123456789abcdef0123456789abcdef01234567'
/** Between two looks at the clock. */
const AT_ONCE = 200

const bench: Bench = async ({ seconds, say }) => {
  const keys = await createCrypto()
  const rawKey = randomBytes(32)
  const key = createSecretKey(rawKey)
  const term = { term: 1, aead: keys.aead(rawKey) }
  const aeadOf = () => term.aead
  const nonces = pooledNonces(systemRandom)
  const additional = new TextEncoder().encode(PATH)
  const rows: Row[] = []
  for (const size of SIZES) {
    const plaintext = new Uint8Array(randomBytes(size))
    const nonce = randomBytes(12)
    let count = 0
    const bare = (): number => {
      // Never used twice, and costs nothing
      nonce.writeUInt32LE(count++)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additional)
      const sealed = cipher.update(plaintext)
      cipher.final()
      const tag = cipher.getAuthTag()
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 }).setAAD(additional)
      decipher.setAuthTag(tag)
      const opened = decipher.update(sealed)
      decipher.final()
      return opened.length
    }
    const record = (): number =>
      openRecord(PATH, sealRecord(term, nonces, PATH, plaintext), aeadOf).length
    const ms = seconds * 1_000 / ROUNDS
    const rates = await interleaved(ROUNDS, {
      bare: async () => rateOf(bare, size, ms), record: async () => rateOf(record, size, ms),
    })
    say(`${size} B: bare ${Math.round(rates.bare)}, records ${Math.round(rates.record)} per s of CPU`)
    rows.push(
      { name: `bare AES-256-GCM, ${size} B`, value: rates.bare, unit: 'per s' },
      { name: `record of the barrier, ${size} B`, value: rates.record, unit: 'per s',
        ratio: rates.record / rates.bare, target: RATIO_MIN },
    )
  }
  return rows
}
export default bench

/** Per second of CPU time. */
function rateOf(once: () => number, size: number, ms: number): number {
  const until = performance.now() + ms
  const before = process.cpuUsage()
  let done = 0
  while (performance.now() < until) {
    for (let index = 0; index < AT_ONCE; index++) {
      if (once() !== size) throw new Error('What was sealed does not open')
    }
    done += AT_ONCE
  }
  const { user, system } = process.cpuUsage(before)
  return done / (user + system) * 1_000_000
}
