/** When a host stops by itself what may run elsewhere, and when the zone starts that there. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Fence } from '../../actors/node-daemon/fence.ts'
import { Silence } from '../../actors/scheduler/silence.ts'
import { stopUnmanaged } from '../../boot/unmanaged.ts'
import { limits } from '../../runtime/limits.ts'
import type { Processes } from '../../runtime/process/processes.ts'
import { createTrace, type ActorEvent } from '../../runtime/trace.ts'
import { manualClock } from './manual-clock.ts'

const { hostConfirmMs, hostFenceMs } = limits

/** A host of which each reading ends as `answers` says: `away` fails. */
async function inHost(
  program: (host: {
    fence: Fence; told: string[]; answer: (as: 'well' | 'lost' | 'away' | 'unwatched') => void
    pass: (ms: number) => Promise<void>
  }) => Promise<void>,
  as: 'well' | 'lost' | 'away' | 'unwatched' = 'well',
): Promise<void> {
  const clock = manualClock()
  const stopping = new AbortController()
  const told: string[] = []
  const began = clock.monotonic()
  const tell = (what: string) => void told.push(`${what} ${clock.monotonic() - began}`)
  const fence: Fence = new Fence({
    clock, stopping: stopping.signal, warn: () => {}, opened: () => tell('opened'),
    look: async () => {
      const asked = clock.monotonic()
      if (as === 'away') throw new Error('Planted')
      fence.saw({ lost: as === 'lost', report: as === 'unwatched' ? undefined : 'regularly' }, asked)
    },
    close: async () => tell('closed'),
  })
  const running = fence.run()
  await program({ fence, told, answer: (next) => { as = next }, pass: (ms) => clock.advance(ms) })
  stopping.abort()
  await running
}

test('a host that cannot read stops after its limit from when it last asked and was answered, and again', async () => {
  const { hostConfirmMs, hostFenceMs } = limits
  await inHost(async ({ fence, told, answer, pass }) => {
    await pass(3 * hostConfirmMs)
    answer('away')
    await pass(hostFenceMs - 1)
    assert.equal([told, fence.closed, fence.mayStart], [[], false, true])
    await pass(1)
    assert.equal(told.splice(0), [`closed ${3 * hostConfirmMs + hostFenceMs}`])
    assert.equal([fence.closed, fence.mayStart], [true, false])
    await pass(2 * hostConfirmMs)
    assert.is(told.splice(0).length, 2, 'what did not stop is tried again')
    answer('well')
    await pass(hostConfirmMs)
    assert.match(told.join(), /opened/)
    assert.equal([fence.closed, fence.mayStart], [false, true])
  })
})

test('a host that reads that it is lost starts nothing at once, and stops what it runs after its limit', async () => {
  await inHost(async ({ fence, told, answer, pass }) => {
    await pass(hostConfirmMs)
    answer('lost')
    await pass(hostConfirmMs)
    assert.equal([fence.closed, fence.mayStart], [false, false])
    await pass(hostFenceMs - hostConfirmMs - 1)
    assert.equal(told, [])
    await pass(1)
    assert.is(told.length, 1)
    answer('well')
    await pass(hostConfirmMs)
    assert.is(fence.mayStart, true)
  })
})

test('that nobody watches a host counts for as long as any answer: it may be otherwise since', async () => {
  await inHost(async ({ fence, told, answer, pass }) => {
    answer('unwatched')
    await pass(50 * hostConfirmMs)
    assert.equal([told, fence.closed, fence.mayStart], [[], false, true])
    answer('away')
    await pass(hostFenceMs - 1)
    assert.is(fence.closed, false)
    await pass(1)
    assert.equal([told.length, fence.closed, fence.mayStart], [1, true, false])
  })
})

test('a daemon that starts while its host is cut off gives what runs no more than the time of a reading', async () => {
  await inHost(async ({ fence, told, answer, pass }) => {
    await pass(hostConfirmMs - 1)
    assert.equal([told, fence.closed], [[], false])
    await pass(1)
    assert.equal([told, fence.closed], [[`closed ${hostConfirmMs}`], true])
    answer('well')
    await pass(hostConfirmMs)
    assert.is(fence.mayStart, true)
  }, 'away')
})

test('an answer that comes late counts from when it was asked for', async () => {
  await inHost(async ({ fence, told, answer, pass }) => {
    answer('away')
    await pass(hostFenceMs + hostConfirmMs)
    assert.is(fence.closed, true)
    told.length = 0
    fence.saw({ lost: false, report: 'regularly' }, 0)
    assert.equal([told, fence.closed], [[], true])
  })
})

test('a host is silent for long after its limit without a break, by one clock, and what most are is none', () => {
  const { hostLostMs } = limits
  const silence = new Silence()
  const hosts = ['a', 'b', 'c', 'd']
  const look = (at: number, ...lost: string[]): string => [...silence.look(new Set(lost), hosts, at)].join()
  assert.is(look(0, 'a'), '')
  assert.is(silence.nextMs(0), hostLostMs)
  assert.equal([look(hostLostMs - 1, 'a', 'b'), look(hostLostMs, 'a', 'b')], ['', 'a'])
  assert.is(silence.nextMs(hostLostMs), hostLostMs - 1)
  assert.is(look(hostLostMs + 1, 'b'), '')
  assert.is(look(hostLostMs + 2, 'a', 'b', 'c'), '', 'most are lost')
  assert.equal([look(2 * hostLostMs, 'a', 'b'), look(3 * hostLostMs - 1, 'a', 'b')], ['', ''])
  assert.is(look(3 * hostLostMs, 'a', 'b'), 'a,b')
})

test('a daemon that is given up takes the programs of its host with it, and of no other', async () => {
  const trace = createTrace()
  const over = new AbortController()
  const stopped: string[] = []
  const processes = {
    list: () => ['a', 'b'].map((name) => ({ name }) as ReturnType<Processes['list']>[number]),
    stop: async (name: string) => void stopped.push(name),
  }
  stopUnmanaged({ host: 'h1', trace, processes, signal: over.signal })
  const tell = async (host: string, actor: string, state: ActorEvent['state']): Promise<string> => {
    trace.emit('actor', { host, actor, state, at: 0, incarnation: 1, reason: '' })
    await new Promise((resolve) => setTimeout(resolve, 0))
    return stopped.splice(0).join()
  }
  assert.is(await tell('h2', 'node-daemon', 'failed'), '')
  assert.is(await tell('h1', 'service', 'failed'), '')
  assert.is(await tell('h1', 'node-daemon', 'restarting'), '')
  assert.is(await tell('h1', 'node-daemon', 'failed'), 'a,b')
  over.abort()
  assert.is(await tell('h1', 'node-daemon', 'failed'), '', 'of a start that is over')
})

test('a host has stopped what may run elsewhere before the zone starts it there, whatever a stop takes', () => {
  const { hostLostMs } = limits
  assert.ok(hostFenceMs + hostConfirmMs < hostLostMs)
  assert.ok(limits.stopMs < hostLostMs - hostFenceMs - hostConfirmMs)
  assert.ok(hostFenceMs > limits.convergeRoundMs)
})

test.run()
