/** Where services run, as a function: by room, labels and replicas, with as little moving as may be. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServiceSpec } from '../../actors/records.ts'
import { hasLabels, place, type Placed, type PlaceHost } from '../../actors/scheduler/place.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'

const GIB = 1024 ** 3
type Spec = Pick<ServiceSpec, 'name' | 'kernel' | 'replicas' | 'resources' | 'labels' | 'spread' | 'stateful'>
type Placement = ReadonlyMap<string, Placed>

const of = suite('place')
const spec = (name: string, more: Partial<Spec> = {}): Spec => ({ name, kernel: false, ...more })
const takes = (gib: number, processors = 0): Partial<Spec> => ({ resources: { memoryBytes: gib * GIB, processors } })
const host = (name: string, more: Partial<PlaceHost> = {}): PlaceHost => ({
  name, ood: false, state: 'running', life: 'alive', holds: new Set(), labels: {},
  capacity: { memoryBytes: 8 * GIB, processors: 400 }, ...more,
})
/** The hosts as they are once that is written. */
const after = (hosts: readonly PlaceHost[], placed: Placement): readonly PlaceHost[] => hosts.map((each) => ({
  ...each, holds: new Set([...placed].filter(([, { hosts: at }]) => at.includes(each.name)).map(([name]) => name)),
}))
const changed = (hosts: readonly PlaceHost[], name: string, more: Partial<PlaceHost>): readonly PlaceHost[] =>
  hosts.map((each) => (each.name === name ? { ...each, ...more } : each))
const at = (placed: Placement, name: string): string => placed.get(name)!.hosts.join()
const told = (placed: Placement): string => JSON.stringify([...placed])

of('what takes much goes first, to the host with the least load in proportion, and only where there is room', () => {
  const hosts = [host('a', { capacity: { memoryBytes: 4 * GIB, processors: 400 } }), host('b')]
  const placed = place([spec('s', takes(1)), spec('m', takes(3)), spec('l', takes(6)), spec('x', takes(2))], hosts)
  assert.equal(['l', 'm', 'x', 's'].map((name) => at(placed, name)), ['b', 'a', 'b', 'a'])
  const full = place([spec('l', takes(6)), spec('m', takes(5))], hosts)
  assert.equal(full.get('m'), {
    hosts: [], missing: 1, reason: 'no host has room for 5120 MiB: at most 4096 MiB and 4.00 processors are free',
  })
})

of('a service runs only where all of its labels are, with their values', () => {
  const hosts = [host('a', { labels: { disk: 'hdd' } }), host('b', { labels: { disk: 'ssd', room: 'cellar' } }),
    host('c', { labels: { disk: 'ssd' } })]
  const placed = place([
    spec('one', { labels: { disk: 'ssd', room: 'cellar' } }), spec('two', { labels: { disk: 'ssd' }, replicas: 3 }),
    spec('none', { labels: { constructor: 'x' } }),
  ], hosts)
  assert.equal([at(placed, 'one'), at(placed, 'two'), at(placed, 'none')], ['b', 'b,c', ''])
  assert.is(placed.get('two')!.reason, 'no other host has the labels disk=ssd')
  assert.is(placed.get('none')!.missing, 1)
})

of('replicas are spread over the values of a label before one has two', () => {
  const hosts = ['a1', 'a2', 'a3', 'b1', 'c1'].map((name) => host(name, { labels: { room: name[0]! } }))
  const placed = place([spec('s', { replicas: 3, spread: 'room' }), spec('t', { replicas: 4, spread: 'room' })], hosts)
  assert.equal([at(placed, 's'), at(placed, 't')], ['a1,b1,c1', 'a2,a3,b1,c1'])
})

of('a host that has told nothing of itself keeps what it has, and gets nothing that asks for room or labels', () => {
  const silent = host('a', { labels: undefined, capacity: undefined, holds: new Set(['kept']) })
  const placed = place([
    spec('kept', { ...takes(2), labels: { disk: 'ssd' } }), spec('new', takes(1)), spec('light'),
  ], [silent])
  assert.equal([at(placed, 'kept'), at(placed, 'new'), at(placed, 'light')], ['a', '', 'a'])
  assert.is(placed.get('new')!.reason, 'no host has told what it has yet')
})

of('a host that is lost gets nothing new, and loses what may move only when it is gone; it does not come back', () => {
  const busy = ['v', 'w', 'x', 'y', 'z'].map((name) => spec(name))
  const specs = [
    spec('k', { kernel: true, replicas: 1 }), spec('s'), spec('state', { stateful: true }), spec('t'), ...busy,
  ]
  const held = new Set(['k', 's', 'state'])
  const other = new Set(busy.map(({ name }) => name))
  const hosts = [host('a', { ood: true, holds: held, life: 'lost' }), host('b', { ood: true, holds: other })]
  const lost = place(specs, hosts)
  assert.equal(['k', 's', 'state', 't'].map((name) => at(lost, name)), ['a', 'a', 'a', 'b'])
  const gone = place(specs, changed(hosts, 'a', { life: 'gone' }))
  assert.equal(['k', 's', 'state', 't'].map((name) => at(gone, name)), ['a', 'b', 'a', 'b'])
  assert.is(gone.get('state')!.reason, 'its state lies on a')
  const back = place(specs, after(changed(hosts, 'a', { life: 'alive' }), gone))
  assert.is(told(back), told(place(specs, after(hosts, back).map((each) => ({ ...each, life: 'alive' })))))
  assert.is(at(back, 's'), 'b')
})

of('a drained host keeps what has nowhere to go, and says why; one that is silent is not drained yet', () => {
  const specs = [spec('k', { kernel: true }), spec('big', takes(6)), spec('s'), spec('state', { stateful: true })]
  const hosts = [
    host('a', { ood: true, state: 'draining', holds: new Set(['k', 'big', 's', 'state']) }),
    host('b', { capacity: { memoryBytes: 4 * GIB, processors: 400 } }),
  ]
  const placed = place(specs, hosts)
  assert.equal(['k', 'big', 's', 'state'].map((name) => at(placed, name)), ['a', 'a', 'b', 'a'])
  assert.equal(['k', 'big', 'state'].map((name) => placed.get(name)!.reason), [
    'it runs on OODs only, and there is no other OOD',
    'no other host has room for 6144 MiB: at most 4096 MiB and 4.00 processors are free', 'its state lies on a',
  ])
  assert.is(at(place(specs, changed(hosts, 'a', { life: 'lost' })), 's'), 'a')
})

/** Everything that must hold of a placement, whatever it was made from. */
function sound(specs: readonly Spec[], hosts: readonly PlaceHost[], placed: Placement): void {
  for (const each of hosts) {
    const here = specs.filter(({ name }) => placed.get(name)!.hosts.includes(each.name))
    const memory = here.reduce((sum, { resources }) => sum + (resources?.memoryBytes ?? 0), 0)
    const processors = here.reduce((sum, { resources }) => sum + (resources?.processors ?? 0), 0)
    assert.ok(memory <= each.capacity!.memoryBytes! && processors <= each.capacity!.processors!, `${each.name} is full`)
    for (const one of here) {
      assert.ok(hasLabels(each, one.labels), `${one.name} on ${each.name} without its labels`)
      assert.ok(each.ood || !one.kernel, `${one.name} on ${each.name}, which is no OOD`)
      assert.ok(each.state !== 'stopped' || each.life !== 'alive', `${one.name} on ${each.name}, which is stopped`)
    }
  }
  for (const { name, replicas = 1 } of specs) {
    const { hosts: own, missing, reason } = placed.get(name)!
    assert.is(new Set(own).size, own.length, `${name} is twice on a host`)
    assert.is(own.length + missing, replicas)
    if (missing > 0) assert.ok(reason, `${name} is missing, and nobody is told why`)
  }
}

const makers = (random: SeededRandom) => {
  const below = (limit: number): number => random.bytes(2).reduce((sum, byte) => sum * 256 + byte, 0) % limit
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!
  const rooms = ['cellar', 'attic', 'shed']
  return {
    below, pick,
    host: (name: string): PlaceHost => host(name, {
      ood: below(4) === 0, labels: { room: pick(rooms), ...(below(2) ? { disk: 'ssd' } : {}) },
      capacity: { memoryBytes: (2 + below(15)) * GIB, processors: 100 * (1 + below(8)) },
    }),
    spec: (name: string): Spec => spec(name, {
      kernel: below(5) === 0, replicas: below(5) === 0 ? below(4) : 1,
      ...(below(3) > 0 ? { resources: { memoryBytes: below(4) * GIB, processors: below(150) } } : {}),
      ...(below(4) === 0 ? { labels: below(2) ? { disk: 'ssd' } : { room: pick(rooms) } } : {}),
      ...(below(4) === 0 ? { spread: 'room' } : {}),
    }),
  }
}

of('never over what a host has, never without labels, and what is written is all: whatever happens to hosts', () => {
  const { below, pick, host: anyHost, spec: anySpec } = makers(new SeededRandom('placement'))
  let [moves, unplaced] = [0, 0]
  for (let round = 0; round < 150; round++) {
    let hosts: readonly PlaceHost[] = Array.from({ length: 1 + below(6) }, (_, index) => anyHost(`h${index}`))
    let specs = Array.from({ length: below(15) }, (_, index) => anySpec(`s${index}`))
    for (let step = 0; step < 8; step++) {
      const name = `h${below(8)}`
      if (below(3) === 0) specs = [...specs.filter((each) => each.name !== `s${step}`), anySpec(`s${step}`)]
      if (below(4) === 0 && !hosts.some((each) => each.name === name)) hosts = [...hosts, anyHost(name)]
      if (below(5) === 0) hosts = hosts.filter((each) => each.name !== name)
      hosts = changed(hosts, name, { life: pick(['alive', 'lost', 'gone']) })
      hosts = changed(hosts, `h${below(8)}`, { state: pick(['running', 'draining', 'stopped']) })
      const placed = place(specs, hosts)
      const text = told(placed)
      sound(specs, hosts, placed)
      // Not by a diff, which would take minutes
      const turned = told(place([...specs].reverse(), [...hosts].reverse()))
      assert.ok(turned === text, 'the order of the input counts')
      const before = hosts
      hosts = after(hosts, placed)
      assert.ok(told(place(specs, hosts)) === text, 'what is placed does not stay')
      moves += hosts.filter((each, index) => [...each.holds].some((one) => !before[index]!.holds.has(one))).length
      unplaced += [...placed.values()].filter(({ missing }) => missing > 0).length
    }
  }
  assert.ok(moves > 500 && unplaced > 500, `${moves} moves, ${unplaced} without a host: it tried little`)
})

of('what another service or host does moves nothing, and a host that goes moves only what it had', () => {
  const { below, host: anyHost, spec: anySpec } = makers(new SeededRandom('sticky'))
  for (let round = 0; round < 150; round++) {
    const bare = Array.from({ length: 3 + below(5) }, (_, index) => anyHost(`h${index}`))
    const specs = Array.from({ length: 5 + below(15) }, (_, index) => anySpec(`s${index}`))
    const first = place(specs, bare)
    const hosts = after(bare, first)
    const grown = place([...specs, anySpec('new')], [...hosts, anyHost('zz')])
    for (const { name } of specs) {
      for (const one of first.get(name)!.hosts) assert.ok(grown.get(name)!.hosts.includes(one), `${name} left ${one}`)
    }
    const dead = `h${below(bare.length)}`
    const gone = place(specs, changed(hosts, dead, { life: 'gone' }))
    for (const { name } of specs) {
      const [before, now] = [first.get(name)!.hosts, gone.get(name)!.hosts]
      for (const one of before) if (one !== dead) assert.ok(now.includes(one), `${name} left ${one}`)
      const waited = first.get(name)!.missing
      assert.ok(now.filter((one) => !before.includes(one)).length <= (before.includes(dead) ? 1 : 0) + waited)
    }
    const back = place(specs, after(hosts, gone))
    for (const { name } of specs) {
      for (const one of gone.get(name)!.hosts) assert.ok(back.get(name)!.hosts.includes(one), `${name} moved back`)
    }
  }
})

of('a thousand services are placed on a hundred hosts in a moment, at first and again', () => {
  const { host: anyHost, spec: anySpec } = makers(new SeededRandom('many'))
  const hosts = Array.from({ length: 100 }, (_, index) => anyHost(`h${index}`))
  const specs = Array.from({ length: 1_000 }, (_, index) => anySpec(`s${index}`))
  const began = performance.now()
  const placed = place(specs, hosts)
  const again = place(specs, after(hosts, placed))
  const tookMs = performance.now() - began
  assert.ok(told(again) === told(placed), 'what is placed does not stay')
  assert.ok(tookMs < 1_000, `${tookMs} ms`)
  sound(specs, hosts, placed)
})

of('a kernel service that does not say is wanted on every OOD that runs', () => {
  const oods = [host('a', { ood: true }), host('b', { ood: true }), host('c', { ood: true, state: 'draining' })]
  assert.is(place([spec('k', { kernel: true })], [...oods, host('d')]).get('k')!.hosts.join(), 'a,b')
})

of.run()
