import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { newSerial } from '../../../runtime/x509/serial.ts'
import type { EnginePorts } from '../engine.ts'
import type { OpenAuthority } from './authority-record.ts'
import type { Authorities, Book } from './book.ts'
import { certificatePath } from './certificates.ts'
import { encodeRecord } from './certificate-record.ts'
import { refused } from './refused.ts'
import { serialKey, serialText } from './serials.ts'

/** A certificate that was made, and what it was made with. */
export interface Issued {
  /** Its serial, as in a path. */
  readonly key: string
  readonly der: Uint8Array
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
  readonly authority: OpenAuthority
  readonly book: Book
  readonly warnings: readonly string[]
}

export interface KeepPorts {
  readonly ports: EnginePorts
  readonly authorities: Authorities
}

export interface KeepAs {
  readonly role: string
  readonly holder: string
  readonly noStore: boolean
  readonly onMade?: ((serial: string) => void) | undefined
}

type Made = Pick<Issued, 'der' | 'notBefore' | 'notAfter' | 'warnings'> & { readonly serial?: Uint8Array }

/**
 * Lets the authority that signs now make one, and keeps it before anybody has it: a certificate that was answered is
 * in the inventory, whatever happens to the process.
 * @throws CertificateRefused, Overloaded
 */
export async function kept(
  { ports: { barrier, random }, authorities }: KeepPorts, { role, holder, noStore, onMade }: KeepAs,
  make: (authority: OpenAuthority, serial: Uint8Array) => Made,
): Promise<Issued> {
  let book = await (noStore ? authorities.fresh() : authorities.seen())
  for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
    const authority = book.signer
    if (authority?.key === undefined) throw refused('no-authority', 'This mount has no authority that signs')
    const drawn = newSerial(random)
    const { serial = drawn, ...made } = make(authority, drawn)
    const issued: Issued = { ...made, key: serialKey(serial), authority, book }
    onMade?.(serialText(issued.key))
    if (noStore) return issued
    const path = certificatePath(issued.key)
    const value = encodeRecord({
      role, holder, authority: authority.idBytes, notAfter: issued.notAfter, der: issued.der,
    })
    // No serial twice, and none by an authority that has changed since: it may sign no more
    const guards = [{ key: path, modRevision: 0 }, authorities.guard(book)]
    if (await barrier.commit(guards, [{ path, value }])) return issued
    book = await authorities.fresh()
  }
  throw new Overloaded(`The authorities of the mount change too often; attempts: ${limits.vaultTransactionAttempts}`)
}
