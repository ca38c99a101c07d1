import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Compare, Operation } from './store.ts'

/** Length of a well-formed string in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    // Each half of a surrogate pair counts two of its four bytes
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}

export function checkKey(key: string): void {
  if (key === '') throw new InvalidArgument('A key must not be empty')
  checkPrefix(key)
}

export function checkPrefix(prefix: string): void {
  if (!prefix.isWellFormed()) throw new InvalidArgument('A key must be well-formed Unicode')
  if (prefix.length * 3 <= limits.keyBytes) return
  const bytes = utf8Bytes(prefix)
  if (bytes > limits.keyBytes) throw new InvalidArgument(`A key has at most ${limits.keyBytes} bytes: ${bytes}`)
}

export function checkValue(key: string, value: Uint8Array): void {
  if (value.length <= limits.valueBytes) return
  throw new InvalidArgument(`A value has at most ${limits.valueBytes} bytes: ${value.length}`, { key })
}

export function checkTransaction(compare: readonly Compare[], operations: readonly Operation[]): void {
  for (const list of [compare, operations]) {
    if (list.length <= limits.transactionOperations) continue
    throw new InvalidArgument(`A transaction has at most ${limits.transactionOperations} operations: ${list.length}`)
  }
  for (const { key, modRevision } of compare) {
    checkKey(key)
    checkRevision(modRevision)
  }
  const written = new Set<string>()
  for (const operation of operations) {
    checkKey(operation.key)
    if (operation.type === 'put') checkValue(operation.key, operation.value)
    if (written.has(operation.key)) throw new InvalidArgument(`A transaction may write a key once: ${operation.key}`)
    written.add(operation.key)
  }
}

export function checkRevision(revision: number): void {
  if (Number.isSafeInteger(revision) && revision >= 0) return
  throw new InvalidArgument(`A revision is a whole number from 0: ${revision}`)
}

export function checkPage(limit: number | undefined): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit > 0)) return
  throw new InvalidArgument(`A page has at least one entry: ${limit}`)
}

export function checkTtl(ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= limits.leaseMs) return
  throw new InvalidArgument(`A lease lasts 1 to ${limits.leaseMs} milliseconds: ${ttlMs}`)
}
