import { actor } from '../../runtime/actor.ts'
import { Cancelled } from '../../runtime/errors.ts'
import type { Client } from '../../runtime/protocol.ts'
import { Hub, Ledger, type Left, type Sent } from './protocol.ts'

export interface Callees {
  readonly ledger: Client<typeof Ledger>
  readonly hub: Client<typeof Hub>
}

/** More than one frame takes, and than one stream has credit for. */
const BURST = 400
const ITEMS_MANY = 300
const ITEMS_ENDLESS = 1_000_000
const TURNS = 12
const HOLDS = 24
const TOKENS = 3

/** The next message of a lane: what is called this way is sent at once. */
type Next = (method: string) => { readonly id: string }

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/**
 * What one caller says: in each lane the same messages in the same order, however the answers come.
 * Answers with what it sent, in order.
 */
export async function speak(as: string, callees: Callees): Promise<Sent[]> {
  const said = new Speech(as, callees)
  // A one-way message does not wait for a link: with these answers there are both
  await said.takeTurns(1)
  await said.burst()
  await said.takeTurns(TURNS)
  await said.cancel()
  await said.speakForOthers()
  return said.sent
}

class Speech {
  readonly sent: Sent[] = []
  readonly #ledger: Callees['ledger']
  readonly #hub: Callees['hub']
  readonly #direct: Next
  readonly #pass: Next
  readonly #fan: Next
  readonly #tail: Next
  readonly #hold: Next

  constructor(as: string, { ledger, hub }: Callees) {
    this.#ledger = ledger
    this.#hub = hub
    this.#direct = this.#lane('ledger', as)
    this.#pass = this.#lane('hub', `${as} pass`)
    this.#fan = this.#lane('hub', `${as} fan`)
    this.#tail = this.#lane('hub', `${as} tail`)
    this.#hold = this.#lane('hub', `${as} hold`)
  }

  #lane(callee: keyof Callees, name: string): Next {
    let count = 0
    return (method) => {
      const id = `${name}/${count++}`
      this.#log(callee, method, id)
      return { id }
    }
  }

  #log(callee: keyof Callees, method: string, id: string): void {
    this.sent.push({ callee, what: `${method} ${id}` })
  }

  /** Everything at once, in as few frames as it fits in. */
  async burst(): Promise<void> {
    const kinds: readonly ((index: number) => Promise<unknown> | void)[] = [
      () => this.#ledger.add(this.#direct('add')),
      () => this.#ledger.note(this.#direct('note')),
      () => this.#hub.pass(this.#pass('pass')),
      () => this.#ledger.read(this.#direct('read')),
      (index) => {
        const count = index % 80 === 4 ? ITEMS_MANY : index % 3
        return drain(this.#ledger.list({ ...this.#direct('list'), count }))
      },
      () => this.#hub.fan(this.#fan('fan')),
      () => this.#ledger.sign(this.#direct('sign')),
      () => drain(this.#hub.tail({ ...this.#tail('tail'), count: 2 })),
    ]
    await Promise.all(Array.from({ length: BURST }, (_, index) => kinds[index % kinds.length]?.(index)))
  }

  /** One at a time, each in a frame of its own. */
  async takeTurns(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      await this.#ledger.add(this.#direct('add'))
      await this.#hub.pass(this.#pass('pass'))
      this.#ledger.note(this.#direct('note'))
      await this.#ledger.read(this.#direct('read'))
    }
  }

  /** Cancels what waits, in another order than it was called in, with more calls between; and leaves streams. */
  async cancel(): Promise<void> {
    const held = Array.from({ length: HOLDS }, () => {
      const both = new AbortController()
      const { signal } = both
      const [direct, relayed] = [this.#direct('hold'), this.#hold('hold')]
      const ends = [this.#ledger.hold(direct, { signal }), this.#hub.hold(relayed, { signal })]
      return { both, direct, relayed, ended: Promise.allSettled(ends) }
    })
    // 7 and 24 have no divisor in common: each once
    const order = held.map((_, index) => held[index * 7 % held.length]!)
    const answers = order.map(({ both, direct, relayed }) => {
      both.abort()
      this.#log('ledger', 'cancel', direct.id)
      this.#log('hub', 'cancel', relayed.id)
      return this.#ledger.read(this.#direct('read'))
    })
    await Promise.all(answers)
    for (const outcome of (await Promise.all(held.map(({ ended }) => ended))).flat()) {
      const isCancelled = outcome.status === 'rejected' && outcome.reason instanceof Cancelled
      if (!isCancelled) throw new Error(`A call that was cancelled has another outcome: ${JSON.stringify(outcome)}`)
    }
    for (let turn = 0; turn < TURNS; turn++) {
      const left = this.#direct('list')
      for await (const item of this.#ledger.list({ ...left, count: ITEMS_ENDLESS })) if (item > turn) break
      this.#log('ledger', 'cancel', left.id)
      this.#ledger.note(this.#direct('note'))
    }
  }

  /** Calls that wait for who they speak for, between calls that do not. */
  async speakForOthers(): Promise<void> {
    await Promise.all(Array.from({ length: 2 * TURNS }, async (_, index) => {
      if (index % 4 === 1) return void this.#ledger.note(this.#direct('note'))
      if (index % 4 === 3) return this.#ledger.read(this.#direct('read'))
      return this.#ledger.add(this.#direct('add'), { token: `token ${index % TOKENS}` })
    }))
  }
}

/** An actor that speaks when it is asked to. `change`: how what it says gets on its way. */
export const speaker = (protocol: typeof Left, change: (callees: Callees) => Callees = (callees) => callees) =>
  actor(protocol, { needs: { ledger: Ledger, hub: Hub } }, () => ({
    speak: ({ as }, { ledger, hub }) => speak(as, change({ ledger, hub })),
  }))
