import type { Frame } from '../platform/ports.ts'

/** What stands still together: while it does, what would be delivered is kept. */
export class Hold {
  paused = false
  readonly events: Delivery[] = []
}

/** Who an event is delivered to: a simulated thread, or one end of a channel in it. */
export interface Receiver {
  readonly name: string
  /** What is addressed to the dead is dropped. */
  readonly alive: boolean
  readonly hold: Hold | undefined
  /** The task threw. */
  uncaught(error: unknown): void
  /** It ends at once, as by a crash. */
  crash(reason: string): void
}

export interface Delivery {
  atUs: number
  readonly laneTie: number
  /** Decides between lanes at the same time; equal within one lane, where `sequence` keeps the order. */
  tie: number
  readonly sequence: number
  readonly to: Receiver
  readonly kind: string
  readonly from: string
  readonly payload: Frame | undefined
  readonly task: () => void
  state: 'waiting' | 'held' | 'over'
}

/** A binary heap. A cancelled event stays until it comes up, or until cancelled ones are the most. */
export class Queue {
  #heap: Delivery[] = []
  #cancelled = 0

  get waiting(): number {
    return this.#heap.length - this.#cancelled
  }

  push(event: Delivery): void {
    this.#heap.push(event)
    this.#up(this.#heap.length - 1)
  }

  cancel(event: Delivery): void {
    const { state } = event
    event.state = 'over'
    if (state !== 'waiting') return
    this.#cancelled++
    if (this.#cancelled > 1_024 && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  pop(): Delivery | undefined {
    for (;;) {
      const first = this.#heap[0]
      const last = this.#heap.pop()
      if (!first || !last) return undefined
      if (last !== first) {
        this.#heap[0] = last
        this.#down(0)
      }
      if (first.state !== 'over') {
        // What has run cannot be cancelled any more
        first.state = 'over'
        return first
      }
      this.#cancelled--
    }
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((event) => event.state !== 'over')
    this.#cancelled = 0
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#down(index)
  }

  #up(start: number): void {
    const heap = this.#heap
    const event = heap[start] as Delivery
    let index = start
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex] as Delivery
      if (!before(event, parent)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = event
  }

  #down(start: number): void {
    const heap = this.#heap
    const event = heap[start] as Delivery
    let index = start
    for (;;) {
      let childIndex = 2 * index + 1
      if (childIndex >= heap.length) break
      const next = heap[childIndex + 1]
      if (next && before(next, heap[childIndex] as Delivery)) childIndex++
      const child = heap[childIndex] as Delivery
      if (!before(child, event)) break
      heap[index] = child
      index = childIndex
    }
    heap[index] = event
  }
}

function before(left: Delivery, right: Delivery): boolean {
  if (left.atUs !== right.atUs) return left.atUs < right.atUs
  if (left.tie !== right.tie) return left.tie < right.tie
  return left.sequence < right.sequence
}
