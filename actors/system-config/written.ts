import { safeParse } from 'valibot'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { kv, UserDocument, UserSettings } from '../records.ts'
import { isReserved } from '../trust-matrix.ts'
import type { Write } from './records.ts'

/** Under these stands what has a name, and the name is the second segment. */
const named = ['agents', 'devices', 'nodes', 'services', 'users']
const SUDO = 'su_'

/**
 * What may not stand in `kv://` whoever writes it, in whichever way its text came about: names that would be taken for
 * another's, and records of a user that are none.
 *
 * @throws InvalidArgument
 */
export function checkWritten(write: Write): void {
  if (write.type === 'delete') return
  const { key, value } = write
  const [root, name, leaf, ...below] = key.split('/')
  if (name === undefined || !named.includes(root!)) return
  refuseSudoName(name, key)
  if ((root === 'users' || root === 'devices') && isReserved(name)) {
    throw new InvalidArgument(`The name is reserved, and nobody can have it: ${name} (${key})`, { key })
  }
  if (leaf === undefined || below.length > 0) return
  if (key === kv.userDocument(name)) ofName(UserDocument, name, key, value)
  if (key === kv.user(name)) ofName(UserSettings, name, key, value)
  if (key === kv.spec(name)) namesIn(parsed(value), ['name', 'appid', 'owner'], key)
  if (key === kv.device(name)) namesIn(payloadOf(value), ['name', 'owner'], key)
}

function refuseSudoName(name: string, key: string): void {
  if (!name.startsWith(SUDO)) return
  throw new InvalidArgument(`Names that begin with ${SUDO} stand for sudo in the policy, and nobody has one: ${name} `
    + `(${key})`, { key })
}

function ofName(schema: typeof UserDocument | typeof UserSettings, name: string, key: string, value: string): void {
  const read = safeParse(schema, parsed(value))
  if (!read.success) {
    throw new InvalidArgument(`The value has the wrong shape: ${read.issues[0].message} (${key})`, { key })
  }
  const speaksOf = read.output.name
  if (speaksOf !== name) throw new InvalidArgument(`It speaks of another user: ${speaksOf} (${key})`, { key })
}

/** Whether the rest of the record is sound is for its readers: they leave out what is not. */
function namesIn(record: unknown, fields: readonly string[], key: string): void {
  if (typeof record !== 'object' || record === null) return
  for (const field of fields) {
    const name = (record as Readonly<Record<string, unknown>>)[field]
    if (typeof name === 'string') refuseSudoName(name, key)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function payloadOf(document: string): unknown {
  const parsed = parseCompact(document, limits.document)
  return 'jws' in parsed ? parsed.jws.payload : undefined
}
