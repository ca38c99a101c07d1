import { BackupDamaged } from '../errors.ts'

/**
 * The ustar interchange format (POSIX.1-2017, pax), regular files only: any tar unpacks what is written here. It is
 * read as a stream, so that a backup need not fit in memory, and strictly: whatever is not as it was written here is
 * damage. A reader that is kinder would take a changed header, or make a name safe that nobody should have sent.
 */
export const blockBytes = 512

export interface TarEntry {
  readonly path: string
  readonly bytes: number
  /** To be read to its end before the next entry. */
  readonly body: AsyncIterable<Uint8Array>
}

const field = {
  name: [0, 100], mode: [100, 8], uid: [108, 8], gid: [116, 8], size: [124, 12], mtime: [136, 12], sum: [148, 8],
  type: [156, 1], magic: [257, 8], prefix: [345, 155],
} as const
type Field = keyof typeof field

const magic = 'ustar\u000000'
const regular = '0'
/** Of other tars, and what to call them. */
const types: Readonly<Record<string, string>> = {
  '1': 'a hard link', '2': 'a symbolic link', '3': 'a device', '4': 'a device', '5': 'a folder', '6': 'a pipe',
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const zeros = new Uint8Array(blockBytes)

/** What goes before a file's contents. */
export function tarHeader(path: string, bytes: number, mtimeSeconds: number): Uint8Array {
  const block = new Uint8Array(blockBytes)
  const set = (name: Field, text: string): void => {
    const [at, length] = field[name]
    const encoded = encoder.encode(text)
    if (encoded.length > length) throw new RangeError(`It does not fit into a tar header: ${text}`)
    block.set(encoded, at)
  }
  const octal = (name: Field, value: number): void => set(name, value.toString(8).padStart(field[name][1] - 1, '0'))
  const [prefix, name] = divided(path)
  set('name', name)
  set('prefix', prefix)
  octal('mode', 0o600)
  octal('uid', 0)
  octal('gid', 0)
  octal('size', bytes)
  octal('mtime', mtimeSeconds)
  set('type', regular)
  set('magic', magic)
  set('sum', `${sumOf(block).toString(8).padStart(6, '0')}\0 `)
  return block
}

/** What goes behind a file's contents. */
export const tarPadding = (bytes: number): Uint8Array => zeros.subarray(0, paddingOf(bytes))
export const tarEnd = (): Uint8Array => new Uint8Array(2 * blockBytes)

const paddingOf = (bytes: number): number => (blockBytes - bytes % blockBytes) % blockBytes

/** A long path is divided at a slash. */
function divided(path: string): readonly [prefix: string, name: string] {
  if (path.length <= field.name[1]) return ['', path]
  const slash = path.indexOf('/', path.length - field.name[1] - 1)
  return [path.slice(0, slash), path.slice(slash + 1)]
}

/** Of all bytes, with blanks where the sum itself stands. */
function sumOf(block: Uint8Array): number {
  const [at, length] = field.sum
  return block.reduce((sum, byte, index) => sum + (index >= at && index < at + length ? 0x20 : byte), 0)
}

/** @throws BackupDamaged with the offset of what is wrong */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = new Pieces(source)
  for (;;) {
    const at = bytes.offset
    const block = await bytes.exactly(blockBytes)
    if (isZero(block)) break
    const { path, size } = readHeader(block, at)
    let left = size
    yield {
      path, bytes: size,
      body: (async function* () {
        while (left > 0) {
          const piece = await bytes.some(left)
          left -= piece.length
          yield piece
        }
      })(),
    }
    if (left > 0) throw new RangeError(`The entry was not read to its end: ${path}`)
    if (!isZero(await bytes.exactly(paddingOf(size)))) throw damaged(bytes.offset, 'the padding of a file is not empty')
  }
  if (!isZero(await bytes.exactly(blockBytes))) throw damaged(bytes.offset, 'the end is not empty')
  if (!await bytes.atEnd()) throw damaged(bytes.offset, 'something stands behind the end')
}

function readHeader(block: Uint8Array, at: number): { path: string; size: number } {
  const text = (name: Field): string => {
    const [start, length] = field[name]
    const bytes = block.subarray(start, start + length)
    const end = bytes.indexOf(0)
    try {
      return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
    } catch {
      throw damaged(at, 'a name is not text')
    }
  }
  if (new TextDecoder('latin1').decode(block.subarray(257, 265)) !== magic) throw damaged(at, 'it is not a tar header')
  if (Number.parseInt(text('sum'), 8) !== sumOf(block)) throw damaged(at, 'the check sum of a header is wrong')
  const size = text('size')
  if (!/^[0-7]{11}$/.test(size)) throw damaged(at, 'the size of a file is not a number')
  const [prefix, name, type] = [text('prefix'), text('name'), text('type')]
  const path = prefix === '' ? name : `${prefix}/${name}`
  if (type !== regular) throw damaged(at, `it holds ${types[type] ?? 'something'} that no backup has: ${shown(path)}`)
  const mtime = text('mtime')
  const written = /^[0-7]{11}$/.test(mtime) && /^[ -~]{1,200}$/.test(path)
    ? tarHeader(path, Number.parseInt(size, 8), Number.parseInt(mtime, 8)) : zeros
  if (!block.every((byte, index) => byte === written[index])) throw damaged(at, 'a header is not as it was written')
  return { path, size: Number.parseInt(size, 8) }
}

/** Of a name that nobody has checked. */
export const shown = (path: string): string => JSON.stringify(path.slice(0, 80))

/** Bytes of a stream by number, whatever pieces they come in. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>
  #piece: Uint8Array = new Uint8Array(0)
  offset = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** At least one and at most `most`. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const { value, done } = await this.#source.next()
      if (done) throw damaged(this.offset, 'it is cut short')
      this.#piece = value
    }
    const taken = this.#piece.subarray(0, most)
    this.#piece = this.#piece.subarray(taken.length)
    this.offset += taken.length
    return taken
  }

  async exactly(length: number): Promise<Uint8Array> {
    const whole = new Uint8Array(length)
    for (let at = 0; at < length;) {
      const piece = await this.some(length - at)
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }

  async atEnd(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { value, done } = await this.#source.next()
      if (done) return true
      this.#piece = value
    }
    return false
  }
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

const damaged = (at: number, what: string): Error =>
  new BackupDamaged(`The backup is damaged: ${what} (byte ${at})`, { byte: at })
