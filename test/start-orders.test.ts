/** Every order in which the control plane may start, with crashes at each step of the boot, in simulation. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { describeCase, needsOf, type StartCase, type StartOrder, threadOf } from '../boot/sim/orders.ts'
import { loadActors } from '../boot/sim/run.ts'
import { allStartCases, runStartOrder, type StartOrderReport } from '../boot/sim/start-orders.ts'
import { simulateZone } from '../boot/sim/zone.ts'
import type { ActorDefinition } from '../runtime/actor.ts'
import { StartFailed } from '../runtime/errors.ts'
import type { NeedsGraph } from '../runtime/needs.ts'
import { commitNumber } from './commit.ts'

const { cases, byNeeds, byBoot } = await allStartCases()
const needs = needsOf((await loadActors(undefined)).definitions)
const isPowerOff = ({ crash, boot }: StartCase): boolean => crash === 'power-off' && boot === 'first'
/** Of the cases that are not run every time, each commit runs one of so many shares. */
const SHARES = 256
/** And of the orders in which the power goes at every step, and of those in which all come back. */
const ORDER_SHARES = 4
const commit = commitNumber()
const isOfShare = (orders: readonly StartOrder[], order: StartOrder): boolean =>
  orders.findIndex((each) => each.join(' ') === order.join(' ')) % ORDER_SHARES === commit % ORDER_SHARES

/** @returns what failed, a line a case */
async function failuresOf(chosen: readonly StartCase[], check?: (report: StartOrderReport) => string | undefined) {
  const failures: string[] = []
  assert.ok(chosen.length > 0)
  for (const one of chosen) {
    const report = await runStartOrder({ seed: one.index, keys: 'cheap' })
    const { failure } = report
    const why = failure ? `${failure.invariant}: ${failure.detail}` : check?.(report)
    if (why !== undefined) failures.push(`${describeCase(one)}: ${why}`)
  }
  return failures
}

/** How many orders the graph allows: for each set that may have started, by which one was the last of it. */
function countOf(graph: NeedsGraph): number {
  const names = [...graph.keys()]
  const bit = (name: string): number => 1 << names.indexOf(name)
  const needed = names.map((name) => graph.get(name)!.reduce((set, need) => set | bit(need), 0))
  const ways = [1, ...new Array<number>((1 << names.length) - 1).fill(0)]
  for (let started = 0; started < ways.length; started++) {
    names.forEach((name, index) => {
      const isNext = (started & bit(name)) === 0 && (started & needed[index]!) === needed[index]
      if (isNext) ways[started | bit(name)]! += ways[started]!
    })
  }
  return ways.at(-1)!
}

const follows = (graph: NeedsGraph, order: readonly string[]): boolean =>
  order.length === graph.size && order.every((name, at) => graph.get(name)!.every((need) => {
    const place = order.indexOf(need)
    return place >= 0 && place < at
  }))

test('every order that the needs allow is among those that are tried, and no other', () => {
  assert.ok(byNeeds.every((order) => follows(needs, order)))
  assert.is(new Set(byNeeds.map((order) => order.join(' '))).size, countOf(needs))
  assert.ok(byNeeds.length > byBoot.length && byBoot.length > 1, `${byNeeds.length} ${byBoot.length}`)
  const starts = new Set(cases.map(({ order }) => order.join(' ')))
  assert.equal([...starts].sort(), byBoot.map((order) => order.join(' ')).sort())
})

test('where nothing is forced, a boot goes by one of these orders, and seeds go by different ones', async () => {
  const possible = new Set(byBoot.flatMap((order) => [order, order.filter((name) => name !== 'boot-scheduler')])
    .map((order) => order.map((name) => threadOf.get(name)).join(' ')))
  const natural = new Set<string>()
  for (let seed = 1; seed <= 12; seed++) {
    const boots = new Map<string, string[]>()
    await simulateZone({
      seed, keys: 'cheap', onLine: (line) => {
        const [, process, thread] = /^\d+ run (\S+) > \S+\/(\S+) /.exec(line) ?? []
        if (process !== undefined && thread !== undefined) {
          boots.set(process, [...(boots.get(process) ?? []), thread])
        }
      },
    })
    assert.is(boots.size, 2)
    for (const order of boots.values()) natural.add(order.join(' '))
  }
  assert.equal([...natural].filter((order) => !possible.has(order)), [])
  assert.ok(natural.size > 2, `too few: ${natural.size}`)
})

test('in the orders of this commit the power goes at each step of a first boot: it boots, and is used', async () => {
  const all = cases.filter(isPowerOff)
  assert.is(new Set(all.map(({ order }) => order.join(' '))).size, byBoot.length)
  assert.is(new Set(all.map(({ moment }) => moment)).size, 17)
  const chosen = all.filter(({ order }) => isOfShare(byBoot, order))
  assert.is(new Set(chosen.map(({ moment }) => moment)).size, 17)
  assert.equal(await failuresOf(chosen), [])
})

test('a worker that others need dies: they come back, in the orders of this commit', async () => {
  const all = cases.filter(({ crash, moment, boot }) =>
    boot === 'first' && moment === 'serves' && typeof crash === 'object' && crash.worker === 'system-config')
  assert.ok(new Set(all.map(({ back }) => back.join(' '))).size > byBoot.length)
  const backs = all.map(({ back }) => back)
  const chosen = all.filter(({ back }) => isOfShare(backs, back))
  assert.equal(await failuresOf(chosen, ({ cameBack }) => (cameBack ? undefined : 'it did not come back')), [])
})

const share = commit % SHARES
test(`of all other cases, the share of this commit: ${share} of ${SHARES}`, async () => {
  assert.equal(await failuresOf(cases.filter((one) => !isPowerOff(one) && one.index % SHARES === share)), [])
})

test('an actor that comes to serve only if another one was started before it is found', async () => {
  let started = false
  const change = (name: string, definition: ActorDefinition): ActorDefinition => ({
    ...definition,
    async start(start) {
      if (name === 'vault') started = false
      if (name === 'service') started = true
      if (name === 'gateway' && !started) throw new StartFailed('There is no service yet')
      return definition.start(start)
    },
  })
  const chosen = cases.filter((one) => isPowerOff(one) && one.moment === 5)
  const late = chosen.find(({ order }) => order.indexOf('service') > order.indexOf('gateway'))!
  const early = chosen.find(({ order }) => order.indexOf('service') < order.indexOf('gateway'))!
  assert.is((await runStartOrder({ seed: late.index, keys: 'cheap' }, { change })).failure?.invariant, 'liveness')
  assert.is((await runStartOrder({ seed: early.index, keys: 'cheap' }, { change })).failure, undefined)
})

test.run()
