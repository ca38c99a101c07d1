import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/** `LIST ` and `LINK `: as far as the letters agree, and the two that do not. */
const LIST = [0x4c, 0x49, 0x53, 0x54, 0x20]
const LINK = [0x4c, 0x49, 0x4e, 0x4b, 0x20]

interface Reading {
  /** Letters of `LIST ` that have come at the start of a request; undefined: its head is past that. */
  matched: number | undefined
  /** The request that is being read, once its head was. */
  request: IncomingMessage | undefined
  /** The one whose head comes now says LIST. */
  isList: boolean
}

const lists = new WeakSet<IncomingMessage>()

/** What the client wrote. */
export const methodOf = (request: IncomingMessage): string => {
  if (lists.has(request)) return 'LIST'
  return request.method ?? 'GET'
}

/**
 * LIST is a method that the parser of neither runtime knows, and it takes no others. Of the same length is LINK, which
 * nobody uses: where a request begins with the one, the parser is given the other, in place.
 */
export function takeLists(server: Server, event: 'connection' | 'secureConnection'): void {
  const readings = new WeakMap<Socket, Reading>()
  server.prependListener('request', (request: IncomingMessage) => {
    const reading = readings.get(request.socket)
    if (!reading) return
    reading.request = request
    if (reading.isList) lists.add(request)
    reading.isList = false
  })
  server.on(event, (socket: Socket) => {
    const reading: Reading = { matched: 0, request: undefined, isList: false }
    readings.set(socket, reading)
    socket.prependListener('data', (chunk: Uint8Array) => look(reading, chunk))
    // On Deno the parser of a plain connection reads past the listeners of its socket
    const { parser } = socket as unknown as { parser?: { unconsume?: () => void } }
    parser?.unconsume?.()
  })
}

function look(reading: Reading, chunk: Uint8Array): void {
  if (reading.request?.complete) {
    reading.request = undefined
    reading.matched = 0
  }
  for (let at = 0; reading.matched !== undefined && at < chunk.length; at++) {
    const { matched } = reading
    if (chunk[at] !== LIST[matched]) {
      reading.matched = undefined
      return
    }
    chunk[at] = LINK[matched]!
    reading.isList = matched === LIST.length - 1
    reading.matched = reading.isList ? undefined : matched + 1
  }
}
