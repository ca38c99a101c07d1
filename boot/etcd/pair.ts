import { mayCrash } from '../../runtime/fault-points.ts'
import type { Files } from '../../runtime/platform/ports.ts'
import type { PairNames } from './names.ts'

/** PEM: a private key, and the certificate for it with what leads to a root. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

/** As it lies there. A pair whose certificate is missing is none. */
export interface FoundPair {
  readonly certificate: string
  readonly key: string | undefined
}

const next = (name: string): string => `${name}.next`

/**
 * The pair of two files, undefined where there is no certificate. A replacement that was cut short is finished first:
 * once both new files are there, they are the pair.
 */
export async function readPair(files: Files, names: PairNames): Promise<FoundPair | undefined> {
  await finish(files, names)
  const [certificate, key] = [await files.read(names.certificate), await files.read(names.key)]
  if (!certificate) return undefined
  const decoder = new TextDecoder()
  return { certificate: decoder.decode(certificate), key: key && decoder.decode(key) }
}

/** Both or neither, whenever it is cut short. */
export async function writePair(files: Files, names: PairNames, { certificate, key }: Pair): Promise<void> {
  const encoder = new TextEncoder()
  await files.remove(next(names.certificate))
  await files.write(next(names.key), encoder.encode(key), { mode: 0o600 })
  mayCrash('pems/key-written')
  await files.write(next(names.certificate), encoder.encode(certificate), { mode: 0o644 })
  mayCrash('pems/pair-written')
  await finish(files, names)
}

/** The certificate's new file comes last and goes last: while it is there, the key's is there or in its place. */
async function finish(files: Files, names: PairNames): Promise<void> {
  if ((await files.mode(next(names.certificate))) === undefined) return
  if ((await files.mode(next(names.key))) !== undefined) await files.rename(next(names.key), names.key)
  mayCrash('pems/pair-half')
  await files.rename(next(names.certificate), names.certificate)
}
