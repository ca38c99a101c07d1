import { BackupDamaged, BackupLocked } from '../errors.ts'

/** Loaded when it is used: a help, or a copy that is not encrypted, need not wait for so many files. */
const age = () => import('age-encryption')

/** The age format (C2SP/age): what is encrypted here any age tool opens with the same passphrase. */
const firstLine = new TextEncoder().encode('age-encryption.org/v1\n')

export async function* encrypted(plain: AsyncIterable<Uint8Array>, passphrase: string): AsyncGenerator<Uint8Array> {
  const { Encrypter } = await age()
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  yield* piecesOf(await encrypter.encrypt(streamOf(plain)))
}

export interface Opened {
  readonly encrypted: boolean
  readonly pieces: AsyncGenerator<Uint8Array>
}

/** @throws BackupLocked when the passphrase is missing or wrong, BackupDamaged */
export async function opened(source: AsyncIterable<Uint8Array>, passphrase: string | undefined): Promise<Opened> {
  const pieces = source[Symbol.asyncIterator]()
  const { value: first = new Uint8Array(0) } = await pieces.next() as { value?: Uint8Array }
  const all = rejoined(first, pieces)
  if (!firstLine.every((byte, index) => first[index] === byte)) return { encrypted: false, pieces: all }
  if (passphrase === undefined) {
    await pieces.return?.()
    throw new BackupLocked('The backup is encrypted', { next: 'Give its passphrase with --passphrase-file' })
  }
  const { Decrypter } = await age()
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  try {
    return { encrypted: true, pieces: decrypted(await decrypter.decrypt(streamOf(all))) }
  } catch (error) {
    await pieces.return?.()
    throw failure(error)
  }
}

async function* decrypted(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* piecesOf(stream)
  } catch (error) {
    throw failure(error)
  }
}

function failure(error: unknown): Error {
  const reason = error instanceof Error ? error.message : ''
  if (/no identity matched/.test(reason)) {
    return new BackupLocked('The passphrase does not open the backup', {
      next: 'Give the passphrase that it was made with; if it is right, the head of the file is damaged',
    })
  }
  return new BackupDamaged('The backup is damaged: it was changed or cut short, or is not all there', {
    reason, next: 'Take another copy of it, or another backup',
  })
}

async function* rejoined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => void await pieces.return?.(),
  })
}

async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    await reader.cancel().catch(() => {})
  }
}
