import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { barrierView, createBarrier, type Barrier } from '../../actors/vault/barrier.ts'
import { createPki, type Pki } from '../../actors/vault/pki/pki.ts'
import { CertificateRefused } from '../../actors/vault/protocol.ts'
import type { Peer } from '../../runtime/actor.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import type { Clock, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { AlternativeName } from '../../runtime/x509/alternative-names.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'

export const keys = await createCrypto()
export const random = systemRandom
export const ZONE = 'zone.local'
export const DAY = 86_400_000
export const START = 1_795_000_000_000

export interface Mounted {
  readonly pki: Pki
  readonly store: Store
  readonly barrier: Barrier
  readonly clock: Clock & { ms: number }
  readonly anchor: SigningKey
  /** Another process with the same store. */
  again(): Pki
}

interface Given {
  readonly store: Store
  readonly hostnames: readonly string[]
  readonly random: Random
}

/** One mount on a store in memory, with a clock of its own. */
export function mounted(mount = 'pki', given: Partial<Given> = {}): Mounted {
  const clock = { ...systemClock, ms: START, now: () => clock.ms }
  const store = given.store ?? createMemoryStore({ clock, random })
  const aead = keys.aead(random.bytes(32))
  const terms = { current: { term: 1, aead }, aeadOf: (term: number) => (term === 1 ? aead : undefined) }
  const barrier = createBarrier({ store, random, terms })
  const anchor = keys.generate(random)
  const again = (): Pki => createPki({
    mount, zone: ZONE,
    ports: { barrier: barrierView(barrier, `${mount}/`), keys, random: given.random ?? random, clock },
    anchor: async () => anchor, ...(given.hostnames ? { hostnames: given.hostnames } : {}),
  })
  return { pki: again(), store, barrier, clock, anchor, again }
}

/** The zone's mount with its authorities. */
export async function zoned(mount = 'pki', given: Parameters<typeof mounted>[1] = {}): Promise<Mounted> {
  const made = mounted(mount, given)
  await made.pki.rotation.ensure()
  return made
}

/** A client's mount with a root, and a role that says no more than is said. */
export async function withRole(data: Readonly<Record<string, unknown>>): Promise<Mounted> {
  const made = mounted('mine')
  await made.pki.rotation.ensure()
  await made.pki.roles.write('web', { key_type: 'any', ...data })
  return made
}

export const ecKey: CertificateSigningKey = await keys.certificates.generate('ec-p256', random)

export interface Asked {
  readonly commonName?: string
  readonly names?: readonly AlternativeName[]
  readonly key?: CertificateSigningKey
}

export const request = ({ commonName = '', names = [], key = ecKey }: Asked = {}): string =>
  encodePem('CERTIFICATE REQUEST', signRequest({
    subject: encodeName(commonName === '' ? [] : [{ type: 'CN', value: commonName }]), names,
  }, key))

export const dns = (value: string): AlternativeName => ({ type: 'dns', value })
export const ip = (value: string): AlternativeName => ({ type: 'ip', value })
export const uri = (value: string): AlternativeName => ({ type: 'uri', value })
export const email = (value: string): AlternativeName => ({ type: 'email', value })

export const peer = (actor: string, host = 'ood1', runtimeType = 'kernel-service'): Peer =>
  ({ zone: ZONE, host, actor, runtimeType, incarnation: 1, kid: `${actor}-1` })
export const asker = { holder: 'test' }
export const askerAt = (host: string) => ({ holder: `tester@${host}`, peer: peer('tester', host) })

/** Signs by a role, and gives what was signed. */
export async function sign(
  { pki }: Mounted, role: string, asked: Asked = {}, wish: Partial<Parameters<Pki['issuing']['sign']>[2]> = {},
  by: Parameters<Pki['issuing']['sign']>[3] = asker,
) {
  return pki.issuing.sign(request(asked), await pki.roles.read(role), { names: [], ...wish }, by)
}

/** Runs `work`, which must be refused for this reason. */
export async function refusedFor(reason: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    assert.instance(error, CertificateRefused, String(error))
    assert.is((error as InstanceType<typeof CertificateRefused>).details.reason, reason, String(error))
    return
  }
  throw new Error(`It was not refused: ${reason}`)
}

/** OpenSSL's verdict, by files of their own. */
export function openssl(files: Readonly<Record<string, string>>, ...args: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-pki-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const { stdout, stderr } = spawnSync('openssl', [...args], { cwd: folder, encoding: 'utf8' })
    return stdout + stderr
  } finally {
    rmSync(folder, { recursive: true })
  }
}
