/** Tunnels between hosts: the other end is trusted with nothing, and makes this one hold no more than it may. */
import { guardsOf, type Guard } from '../guard.ts'

const LIMITS = 'test/tunnel-limits.test.ts'
const HOSTILE = 'test/tunnel-hostile.test.ts'
const RENEW = 'test/tunnel-renew.test.ts'

export const tunnel: readonly Guard[] = [
  ...guardsOf('transport/frames.ts', 'test/transport-tls.test.ts', [
    'a frame is refused by its head', 'if (this.#length > this.#bytesMax) return', 'if (false) return',
    'a frame is as long as the limit at most, at the sender and at the receiver',
  ]),
  ...guardsOf('transport/tls.ts', 'test/transport-tls.test.ts',
    [
      'a peer that does not read is cut off', "if (connection.unsent > limits.tlsUnsentBytesMax) close(",
      'if (false) close(', 'who can wait is told when, and a peer that does not read is cut off',
    ],
    [
      'half a frame is no end', 'const cut = !closed && reader.midway', 'const cut = false',
      'a frame that was cut off, and text that is none, close the channel',
    ],
  ),
  ...guardsOf('transport/tunnel/messages.ts', HOSTILE,
    [
      'a message has its length', "if (frame.length > limits.tunnelMessage) throw violation('a message is too long')",
      '', 'a message of no such form closes the tunnel',
    ],
    [
      'a message has its form',
      "if (!shape.success) throw violation('a message has no such form')\n  return shape.output",
      'return shape.output as Control', 'a message of no such form closes the tunnel',
    ],
    [
      'reserved bits are none', 'if (view.getUint16(2) !== 0 || id === 0 || id > ID_MAX) throw', 'if (false) throw',
      'bytes of no such form close the tunnel',
    ],
  ),
  ...guardsOf('transport/tunnel/streams.ts', HOSTILE,
    [
      'an id is used once', 'Math.abs(this.#theirs % 2) || id <= this.#theirs) throw',
      'Math.abs(this.#theirs % 2)) throw',
      'ids grow, are of the end that opens, and are never used twice',
    ],
    [
      'an id is of the end that opens', 'if (id % 2 !== Math.abs(this.#theirs % 2) || id', 'if (id',
      'ids grow, are of the end that opens, and are never used twice',
    ],
    [
      'what nobody opened is nothing', 'if (id > (this.#isTheirs(id) ? this.#theirs : this.#ours)) throw',
      'if (false) throw', 'answers to what nobody asked, and second answers, close the tunnel',
    ],
    [
      'a stream carries nothing before it is granted', 'if (entry.asked || entry.deciding) throw', 'if (false) throw',
      'a stream that is not open carries nothing',
    ],
    [
      'an answer is given once', "if (!asked) throw violation('a second answer about a stream')",
      'if (!asked) return undefined', 'answers to what nobody asked, and second answers, close the tunnel',
    ],
    [
      'an end does not answer itself', "if (this.#isTheirs(id)) throw violation('an answer to its own question')", '',
      'answers to what nobody asked, and second answers, close the tunnel',
    ],
  ),
  ...guardsOf('transport/tunnel/streams.ts', LIMITS,
    [
      'streams that wait for their answer are counted', ' || this.#deciding >= limits.tunnelOpening) {', ') {',
      'there are so many streams, and so many that wait for an answer; one more is refused',
    ],
    [
      'streams of the other end are counted', 'if (this.#entries.size >= limits.tunnelStreams || this.#deciding',
      'if (this.#deciding', 'there are so many streams, and so many that wait for an answer; one more is refused',
    ],
    [
      'a closed stream lingers so long', 'this.#ground.clock.after(limits.tunnelLingerMs, () => stream.cut())',
      'this.#ground.clock.after(limits.tunnelLingerMs, () => {})',
      'a stream that is closed has its time to send the rest, and no more',
    ],
  ),
  ...guardsOf('transport/tunnel/stream.ts', LIMITS,
    [
      'credit is kept to', "if (this.#window < 0) throw violation('more was sent than there was credit for')", '',
      'an end may send what it has credit for, and one byte more closes the tunnel',
    ],
    [
      'who does not read gets no more', 'else this.#deferred += cost', 'else this.#owed += cost',
      'an end may send what it has credit for, and one byte more closes the tunnel',
    ],
    [
      'credit has an end', 'if (this.#credit > CREDIT_MAX) throw', 'if (false) throw', 'credit has an end',
    ],
    [
      'a stream holds no more than its share', 'if (this.#queuedCost > limits.tunnelBacklogBytes) this',
      'if (false) this',
      'without credit a stream sends its window, then waits, then is closed, and others go on',
    ],
    [
      'a frame has an end', "if (bytes > limits.frame) throw violation('a frame is too long')\n    const old",
      'const old', 'a frame that has no end closes the tunnel at the longest that there may be',
    ],
  ),
  ...guardsOf('transport/tunnel/outbox.ts', LIMITS,
    [
      'origins send in turn', "const [first = '', second = ''] = source.by ?? []", "const [first, second] = ['', '']",
      'each origin has its turn, behind an OOD as well, however many streams another has',
    ],
    [
      'behind an OOD origins send in turn', "const [first = '', second = ''] = source.by ?? []",
      "const [[first = ''], second] = [source.by ?? [], '']",
      'each origin has its turn, behind an OOD as well, however many streams another has',
    ],
  ),
  ...guardsOf('transport/tunnel/held.ts', LIMITS,
    [
      'a tunnel holds no more than its share', 'while (this.load[kind] > MOST[kind]) {', 'while (false) {',
      'all streams of a tunnel together hold no more than its share',
    ],
    [
      'what nobody reads is counted', 'while (this.load[kind] > MOST[kind]) {',
      "while (kind === 'backlog' && this.load[kind] > MOST[kind]) {",
      'frames that nobody reads are held up to the limit; then the stream that has most of them is closed',
    ],
    [
      'what holds most gives way', 'among.reduce((a, b) => (b.load[kind] > a.load[kind] ? b : a))', 'among[0]!',
      'frames that nobody reads are held up to the limit; then the stream that has most of them is closed',
    ],
  ),
  ...guardsOf('transport/tunnel/stream.ts', 'test/tunnel.test.ts', [
    'nothing goes along with a frame', 'if (!parts) return new Uint8Array(piece)', 'if (!parts) return piece',
    'a frame is bytes of its own: nothing else goes along where it is passed on',
  ]),
  ...guardsOf('transport/tunnel/splice.ts', 'test/tunnel.test.ts', [
    'what is between two tunnels holds little', 'if (to.full) from.hold(true)', '',
    'between two tunnels a stream waits for whoever reads last, and what is between them holds little',
  ]),
  ...guardsOf('transport/tunnel/tunnel.ts', HOSTILE,
    [
      'a mirror is nobody', "if (peer.nonce === this.#greeting.nonce) throw", 'if (false) throw',
      'a mirror is not another end',
    ],
    [
      'nothing comes before the greeting',
      "else if (this.#phase !== 'open') throw violation('bytes before a greeting')",
      'else if (!this.#open) return', 'what is said out of turn closes the tunnel, whatever the turn',
    ],
    [
      'who says nothing is not waited for', 'this.#late = clock.after(limits.tunnelHelloMs, ',
      'this.#late = clock.after(2 ** 31, ', 'an end that does not say who it is in time is closed, however far it got',
    ],
  ),
  ...guardsOf('transport/tunnel/tunnel.ts', 'test/tunnel.test.ts',
    [
      'a host of another zone gets no tunnel', 'if (peer.zone !== hello.zone) throw', 'if (false) throw',
      'one end that is refused is told why, and nobody is let in',
    ],
    [
      'who is refused gets no tunnel', 'await onHello(peer)', 'await onHello(peer).catch(() => {})',
      'one end that is refused is told why, and nobody is let in',
    ],
  ),
  ...guardsOf('transport/tunnel/tunnel.ts', RENEW, [
    'a certificate that has ended ends its tunnel', '} else if (this.#open?.renewals?.ended) {', '} else if (false) {',
    'a certificate that has ended, without a next one, ends the tunnel',
  ]),
  ...guardsOf('transport/tunnel/keep-alive.ts', 'test/tunnel-silence.test.ts',
    [
      'silence ends a tunnel', 'return this.#clock.monotonic() - this.#heardMs >= limits.tunnelSilenceMs',
      'return false',
      'silence is asked about, and closes the tunnel when it goes on',
    ],
    [
      'an answer is to a question', 'if (n > this.#asked || n <= this.#answered) throw', 'if (false) throw',
      'silence is asked about, and closes the tunnel when it goes on',
    ],
  ),
  ...guardsOf('transport/tunnel/tell.ts', LIMITS,
    [
      'a document has its length', "if (coming.characters > limits.tunnelDocument) throw", 'if (false) throw',
      'a document that is told has its length, its order and pieces of some size',
    ],
    [
      'a document comes in order', "if (!coming || coming.characters !== at) throw", 'if (!coming) throw',
      'a document that is told has its length, its order and pieces of some size',
    ],
    [
      'a document does not come in crumbs', 'if (text.length < PIECE_CHARACTERS_MIN && !last) throw',
      'if (false) throw',
      'a document that is told has its length, its order and pieces of some size',
    ],
  ),
  ...guardsOf('transport/tunnel/renew.ts', RENEW,
    [
      'a renewal is of the same host', 'if (this.#names === NOBODY || namesOf(next) !== this.#names) throw',
      'if (false) throw', 'a renewal of another host closes the tunnel',
    ],
    [
      'a renewal is signed by its key', "if (!holds) throw violation('a renewal that its key has not signed')", '',
      'a renewal that its own key has not signed, for this tunnel, end and turn, closes the tunnel',
    ],
    [
      'a renewal is of this tunnel', "'zonewright tunnel renewal', 1, role, n, ...nonces, ...this",
      "'zonewright tunnel renewal', 1, role, n, ...this", 'a renewal is good once',
    ],
    [
      'a renewal is good once', "if (n !== this.#theirs + 1) throw violation('a renewal out of turn')", '',
      'a renewal is good once',
    ],
    [
      'one renewal is judged at a time', "if (this.#judging) throw violation('a renewal while another is judged')", '',
      'renewals out of turn, or while one is judged, or that cannot be read, close the tunnel',
    ],
    [
      'a certificate that has ended is no next one', 'if (now > next.notAfter) throw', 'if (false) throw',
      'what the other end does not take is told, and the last certificate counts on',
    ],
    [
      'who is refused has the last certificate still', 'await onRenew(chain)', 'await onRenew(chain).catch(() => {})',
      'what the other end does not take is told, and the last certificate counts on',
    ],
  ),
]
