import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, DeadlineExceeded, InvalidResult, Restarted, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { aborted, counter, CounterFull, firstFailure, type Cx } from './counter-fixture.ts'
import { failureOf, quiet } from './link-fixture.ts'

const flows = suite('one-way sends and streams')

flows('a one-way message arrives once, and its failure is nobody else\'s', async () => {
  const notes: string[] = []
  const { caller, faults } = await counter({
    note({ text }: { text: string }) {
      notes.push(text)
      if (text === 'bad') throw new Error('broken')
    },
  })
  caller.client.note({ text: 'one' })
  caller.client.note({ text: 'bad' })
  caller.client.note({ text: 'two' })
  assert.is(await caller.client.read({}), 7)
  assert.equal(notes, ['one', 'bad', 'two'])
  assert.is(faults.length, 1)
})

flows('a one-way message that cannot be delivered or run counts as a dead letter', async () => {
  const { caller, service, ends } = await counter({ note: () => new Promise(() => undefined) }, { capacity: 1 })
  caller.client.note({ text: 1 } as never)
  for (let count = 0; count < 4; count++) caller.client.note({ text: 'x' })
  await quiet()
  assert.is(service.deadLetters, 3)
  ends.cut()
  await quiet()
  caller.client.note({ text: 'x' })
  assert.is(caller.deadLetters, 1)
})

flows('a stream gives its items in order and ends', async () => {
  const { caller, served } = await counter()
  const items: number[] = []
  for await (const { n } of caller.client.watch({ from: 0, to: 2_000 })) items.push(n)
  assert.equal(items, Array.from({ length: 2_000 }, (_, n) => n))
  assert.is(served.active, 0)
  assert.is(caller.pending, 0)
})

flows('a stream runs no further ahead of its reader than its credit', async () => {
  let made = 0
  const { caller } = await counter({
    async *watch() {
      for (;;) yield { n: made++ }
    },
  })
  const reader = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  await reader.next()
  await quiet(5_000)
  assert.ok(made <= limits.streamCredit + 1, `${made} made`)
  for (let count = 0; count < limits.streamCredit; count++) await reader.next()
  await quiet(5_000)
  assert.ok(made > limits.streamCredit + 1, `${made} made`)
  await reader.return!()
})

flows('a reader that leaves cancels the writer', async () => {
  let stopped = false
  const { caller, served } = await counter({
    async *watch() {
      try {
        for (let n = 0; ; n++) yield { n }
      } finally {
        stopped = true
      }
    },
  })
  for await (const { n } of caller.client.watch({ from: 0, to: 1 })) if (n === 3) break
  await quiet(2_000)
  assert.is(stopped, true)
  assert.is(served.active, 0)
})

flows('an error in a stream arrives as its class, after the items before it', async () => {
  const { caller } = await counter({
    async *watch() {
      yield { n: 1 }
      throw new CounterFull('full')
    },
  })
  const items: number[] = []
  const error = await failureOf((async () => {
    for await (const { n } of caller.client.watch({ from: 0, to: 1 })) items.push(n)
  })())
  assert.instance(error, CounterFull)
  assert.equal(items, [1])
})

flows('a stream has no deadline of its own, and keeps one that it is given', async () => {
  const { caller, clock, served } = await counter({ async *watch(_: unknown, cx: Cx) { await aborted(cx.signal) } })
  const endless = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  const first = failureOf(endless.next())
  await clock.advance(limits.callMs * 100)
  assert.is(caller.pending, 1)
  const limited = firstFailure(caller.client.watch({ from: 0, to: 1 }, { withinMs: 50 }))
  await clock.advance(50)
  assert.instance(await limited, DeadlineExceeded)
  assert.is(served.active, 1)
  const controller = new AbortController()
  const cancelled = firstFailure(caller.client.watch({ from: 0, to: 1 }, { signal: controller.signal }))
  controller.abort()
  assert.instance(await cancelled, Cancelled)
  caller.detach(new Unavailable('over'))
  assert.instance(await first, Unavailable)
})

flows('an item of the wrong shape ends the stream at both ends', async () => {
  const { caller, served } = await counter({ async *watch() { for (;;) yield { n: 'x' } } })
  assert.instance(await firstFailure(caller.client.watch({ from: 0, to: 1 })), InvalidResult)
  await quiet()
  assert.is(served.active, 0)
})

flows('a stream that its writer lost fails: it does not look finished', async () => {
  const { caller, ends } = await counter({ async *watch() { yield { n: 1 }; await new Promise(() => undefined) } })
  const reader = caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]()
  assert.equal(await reader.next(), { done: false, value: { n: 1 } })
  const next = failureOf(reader.next())
  ends.cut()
  assert.instance(await next, Restarted)
})

flows('a handler that gives no stream fails its caller, as a bug', async () => {
  const { caller, faults } = await counter({ watch: () => 7 })
  assert.is((await firstFailure(caller.client.watch({ from: 0, to: 1 }))).code, 'Internal')
  assert.is(faults.length, 1)
})

flows('streams do not occupy the actor', async () => {
  const { caller, mailbox } = await counter({ async *watch() { await new Promise(() => undefined) } })
  void caller.client.watch({ from: 0, to: 1 })[Symbol.asyncIterator]().next().catch(() => undefined)
  await quiet()
  assert.is(mailbox.running, 0)
  assert.is(await caller.client.add({ by: 1 }), 2)
})

flows.run()
