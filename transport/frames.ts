/**
 * Frames as bytes that follow each other: four bytes, big-endian, whose first bit says text and whose others say the
 * length, then that many bytes. Text is UTF-8.
 */
import type { Frame } from './channel.ts'

export const FRAME_HEAD = 4
const TEXT = 0x8000_0000

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const encodeText = (text: string): Uint8Array => encoder.encode(text)

/** Undefined when it is no UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Bytes that wait to leave in one write. */
export class FrameWriter {
  #frames: { readonly bytes: Uint8Array; readonly text: boolean }[] = []
  /** Of what waits, with the heads. */
  bytes = 0

  /** False when the frame is longer than that; it is not taken then. */
  add(frame: Frame, bytesMax: number): boolean {
    const text = typeof frame === 'string'
    const bytes = text ? encodeText(frame) : frame
    if (bytes.length > bytesMax) return false
    this.#frames.push({ bytes, text })
    this.bytes += FRAME_HEAD + bytes.length
    return true
  }

  /** All that waits, as one. */
  take(): Uint8Array {
    const all = new Uint8Array(this.bytes)
    const view = new DataView(all.buffer)
    let at = 0
    for (const { bytes, text } of this.#frames) {
      view.setUint32(at, text ? (TEXT | bytes.length) >>> 0 : bytes.length)
      all.set(bytes, at + FRAME_HEAD)
      at += FRAME_HEAD + bytes.length
    }
    this.#frames = []
    this.bytes = 0
    return all
  }
}

/** Takes such bytes apart, however they are cut. A frame of bytes is a view into them where it came in one. */
export class FrameReader {
  readonly #bytesMax: number
  readonly #head = new Uint8Array(FRAME_HEAD)
  readonly #headView = new DataView(this.#head.buffer)
  #headBytes = 0
  /** Of the frame that is under way; -1 before its head is whole. */
  #length = -1
  #text = false
  /** The bytes of one that comes in several: each is copied once. */
  #parts: Uint8Array | undefined
  #partsBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** A frame has begun that is not whole. */
  get midway(): boolean {
    return this.#headBytes > 0 || this.#length >= 0
  }

  /** `onFrame` says whether to go on. Returns what is wrong with the bytes; then nothing more may be read. */
  read(bytes: Uint8Array, onFrame: (frame: Frame) => boolean): string | undefined {
    let at = 0
    while (at < bytes.length) {
      if (this.#length < 0) at = this.#readHead(bytes, at)
      if (this.#length > this.#bytesMax) return `a frame is longer than ${this.#bytesMax} bytes: ${this.#length}`
      if (this.#length < 0) return undefined
      const taken = Math.min(this.#length - this.#partsBytes, bytes.length - at)
      const body = this.#take(bytes, at, taken)
      at += taken
      if (!body) return undefined
      const frame = this.#text ? decodeText(body) : body
      if (frame === undefined) return 'a text is not UTF-8'
      if (!onFrame(frame)) return undefined
    }
    return undefined
  }

  /** Returns where the body begins, or the end of the bytes. */
  #readHead(bytes: Uint8Array, from: number): number {
    let at = from
    while (this.#headBytes < FRAME_HEAD && at < bytes.length) this.#head[this.#headBytes++] = bytes[at++]!
    if (this.#headBytes < FRAME_HEAD) return at
    const head = this.#headView.getUint32(0)
    this.#headBytes = 0
    this.#text = head >= TEXT
    this.#length = this.#text ? head - TEXT : head
    return at
  }

  /** The whole body, or undefined while there is more to come. */
  #take(bytes: Uint8Array, at: number, count: number): Uint8Array | undefined {
    let body: Uint8Array | undefined
    if (count === this.#length) body = new Uint8Array(bytes.buffer, bytes.byteOffset + at, count)
    else {
      this.#parts ??= new Uint8Array(this.#length)
      this.#parts.set(bytes.subarray(at, at + count), this.#partsBytes)
      this.#partsBytes += count
      if (this.#partsBytes < this.#length) return undefined
      body = this.#parts
    }
    this.#parts = undefined
    this.#partsBytes = 0
    this.#length = -1
    return body
  }
}
