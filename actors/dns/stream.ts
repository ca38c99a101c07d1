import { limits } from '../../runtime/limits.ts'

/**
 * Messages of one connection, each behind its length (RFC 1035 §4.2.2), and the answers to them in the same form. Ends
 * at a message that is longer than a query may be, or that comes in more pieces, and at one that gets no answer.
 */
export async function* converse(
  pieces: AsyncIterable<Uint8Array>, answer: (message: Uint8Array) => Uint8Array | undefined,
): AsyncIterable<Uint8Array> {
  let held = new Uint8Array()
  let count = 0
  for await (const piece of pieces) {
    count++
    const joined = new Uint8Array(held.length + piece.length)
    joined.set(held)
    joined.set(piece, held.length)
    let at = 0
    while (joined.length - at >= 2) {
      const length = (joined[at]! << 8) | joined[at + 1]!
      if (length > limits.dnsQueryBytes) return
      if (joined.length - at - 2 < length) break
      const reply = answer(joined.subarray(at + 2, at + 2 + length))
      at += 2 + length
      if (!reply) return
      yield framed(reply)
    }
    held = joined.slice(at)
    // Those of the next message
    if (at > 0) count = held.length > 0 ? 1 : 0
    if (count >= limits.dnsPieces && held.length > 0) return
  }
}

function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length)
  bytes[0] = message.length >> 8
  bytes[1] = message.length & 255
  bytes.set(message, 2)
  return bytes
}
