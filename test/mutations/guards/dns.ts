/** What comes by DNS comes from anybody. */
import { guardsOf, type Guard } from '../guard.ts'

export const dns: readonly Guard[] = [
  ...guardsOf('actors/dns/codec.ts', 'test/actors/dns-answer.test.ts',
    [
      'an answer is not answered', "if ((flags & IS_ANSWER) !== 0) return { kind: 'silence' }", '',
      'what cannot be read is a format error, and an answer is not answered',
    ],
    [
      'there is one question, and nothing before it', 'word(4) === 1 && word(6) === 0 && word(8) === 0', 'word(4) > 0',
      'what cannot be read is a format error, and an answer is not answered',
    ],
    [
      'a message is read to its end',
      'if ((packet.decode as { bytes?: number }).bytes !== bytes.length) return undefined',
      '',
      'what cannot be read is a format error, and an answer is not answered',
    ],
    [
      'a dot within a label is none between two', ".replaceAll('.', '\\\\046')", '',
      'a label with a dot in it is no name of ours, nor is a name that points elsewhere',
    ],
    [
      'no answer by UDP is longer than its sender takes', 'if (whole.length <= bytesMax) return whole', 'return whole',
      'by UDP no answer is longer than its sender takes; the rest says so, and TCP has it whole',
    ],
    [
      'no answer by UDP is longer than comes through', 'Math.min(UDP_BYTES, Math.max(', '(Math.max(',
      'by UDP no answer is longer than its sender takes; the rest says so, and TCP has it whole',
    ],
  ),
  ...guardsOf('actors/dns/answer.ts', 'test/actors/dns-answer.test.ts',
    [
      'what is of another zone is refused', 'if (!ours || query.class', 'if (query.class',
      'what is not of this zone, not of this class, or a transfer is refused without a word',
    ],
    [
      'nothing is transferred', ' || REFUSED.has(type)) return', ') return',
      'what is not of this zone, not of this class, or a transfer is refused without a word',
    ],
    [
      'who asks for everything gets little', 'if (type === recordType.any && found.length > 0) {', 'if (false) {',
      'who asks for everything gets one record, and a longer answer than its question at most by a few records',
    ],
    [
      'a later version of EDNS is refused',
      "if (edns && edns.version !== 0) return ['fault', { code: rcode.version }]", '',
      'what cannot be read is a format error, and an answer is not answered',
    ],
  ),
  ...guardsOf('actors/dns/zone.ts', 'test/actors/dns-answer.test.ts',
    [
      'who is not registered is no host', "leaf !== 'info' || !addresses.has(device)) continue",
      "leaf !== 'info') continue",
      'names are made of what can be read, and of no host that is not registered',
    ],
    [
      'what a host tells is an address', 'info.addresses.filter(isAddress)', 'info.addresses',
      'names are made of what can be read, and of no host that is not registered',
    ],
    [
      'a service of the system is no app', 'if (spec?.http && !spec.kernel && spec.appid === service)',
      'if (spec?.http)',
      'names are made of what can be read, and of no host that is not registered',
    ],
  ),
  ...guardsOf('actors/dns/rate.ts', 'test/limits/services.test.ts',
    [
      'one network is answered so often', 'if (bucket.left < 1) return false', '',
      'one network is answered as often as the limit, twice as often at once, and others beside it',
    ],
    [
      'so many networks are counted', 'if (this.#buckets.size > limits.dnsNetworks)', 'if (false)',
      'as many networks as the limit are counted, and the one that was quiet longest is forgotten',
    ],
  ),
  ...guardsOf('actors/dns/stream.ts', 'test/limits/services.test.ts',
    [
      'a query by TCP is so long', 'if (length > limits.dnsQueryBytes) return', '',
      'a query by TCP may be as long as the limit, and come in as many pieces, and no more',
    ],
    [
      'a query by TCP comes in so many pieces', 'if (count >= limits.dnsPieces && held.length > 0) return', '',
      'a query by TCP may be as long as the limit, and come in as many pieces, and no more',
    ],
  ),
  ...guardsOf('actors/dns/actor.ts', 'test/limits/services.test.ts',
    [
      'a longer datagram is dropped', 'if (message.length > limits.dnsQueryBytes) return undefined', '',
      'a name server listens with its limits, and learns of a change a moment later, once for many',
    ],
    [
      'one address has so many connections', 'if (open >= limits.dnsConnectionsPerAddress) return', '',
      'one address has as many connections to the name server as its share, and another has its own',
    ],
  ),
  ...guardsOf('runtime/platform/sockets.ts', 'test/runtime/sockets.test.ts',
    [
      'so many answers wait for the network', 'from.port === 0 || sending >= limits.datagramsSending',
      'from.port === 0',
      'as many answers wait for the network as the limit, and what asks for more is dropped',
    ],
    [
      'nobody is answered at port 0', 'if (from.port === 0 || sending', 'if (sending',
      'as many answers wait for the network as the limit, and what asks for more is dropped',
    ],
    [
      'a connection that brings nothing is closed', 'socket.setTimeout(idleMs, () => socket.destroy())', '',
      'a connection that brings nothing is closed, and so is one more than there may be',
    ],
  ),
]
