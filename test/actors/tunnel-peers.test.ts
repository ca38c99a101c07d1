/** To which other OODs one keeps tunnels, and how it tries. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createPeers, lookAndTell } from '../../actors/enrolment/tunnels/peers.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { manualClock } from './manual-clock.ts'

const STEP_MS = 100
const self = { zone: 'a.zone', host: 'ood2', actor: 'enrolment', runtimeType: '', incarnation: 1, linkKid: '' }

test('an OOD dials those whose name comes after its own, at growing intervals, and no more when they are gone',
  async () => {
    const clock = manualClock()
    const stopping = new AbortController()
    const dialled: { readonly ood: string; readonly port: number; readonly at: number }[] = []
    let servers = new Map<string, string[]>([['ood1', ['10.0.0.1:1']], ['ood2', ['10.0.0.2:1']]])
    const log = { info() {}, warn() {}, error() {} }
    const peers = createPeers({
      self, clock, random: systemRandom, stopping: stopping.signal, log, servers: async () => servers,
      async dial(ood, { port }) {
        dialled.push({ ood, port, at: clock.monotonic() })
        throw new Unavailable('nobody answers')
      },
    })
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= STEP_MS) await clock.advance(STEP_MS)
    }
    const look = async (): Promise<void> => {
      await peers.look()
      await clock.advance(STEP_MS)
    }
    await look()
    assert.equal(dialled, [], 'of each pair one dials')
    servers = new Map([...servers, ['ood3', ['10.0.0.3:1', '[::3]:2']]])
    await look()
    assert.is(dialled.length, 1, 'at once')
    await pass(40_000)
    assert.equal([...new Set(dialled.map(({ ood }) => ood))], ['ood3'])
    assert.equal(dialled.slice(0, 4).map(({ port }) => port), [1, 2, 1, 2])
    const gaps = dialled.slice(1).map(({ at }, index) => at - dialled[index]!.at)
    assert.ok(gaps[0]! <= limits.oodRetryMsMin + STEP_MS, gaps.join())
    assert.ok(Math.max(...gaps) <= limits.oodRetryMsMax + STEP_MS, gaps.join())
    assert.ok(gaps.slice(-4).some((gap) => gap > limits.oodRetryMsMax / 2), gaps.join())
    servers.delete('ood3')
    await look()
    const { length } = dialled
    await pass(10_000)
    assert.is(dialled.length, length)
    stopping.abort()
    servers.set('ood4', ['10.0.0.4:1'])
    await look()
    assert.is(dialled.length, length, 'nor when it ends')
  })

test('it looks for others and tells its nodes as often as the limits', async () => {
  const clock = manualClock()
  const stopping = new AbortController()
  let [looks, tells] = [0, 0]
  const run = lookAndTell({
    clock, stopping: stopping.signal, look: async () => void looks++, tell: async () => void tells++,
  })
  await clock.advance(limits.oodLookMs - 1)
  assert.equal([looks, tells], [1, 0])
  await clock.advance(1)
  assert.equal([looks, tells], [2, 0])
  for (let ms = limits.oodLookMs; ms < 4 * limits.tunnelTellMs; ms += STEP_MS) await clock.advance(STEP_MS)
  assert.equal([looks, tells], [1 + Math.floor(4 * limits.tunnelTellMs / limits.oodLookMs), 4])
  stopping.abort()
  await clock.advance(1)
  await run
})

test.run()
