/** Where services run, and that none runs twice. */
import { guardsOf, type Guard } from '../guard.ts'

const roundTrip =
  'never over what a host has, never without labels, and what is written is all: whatever happens to hosts'
const cannotRead = 'a host that cannot read stops after its limit from when it last asked and was answered, and again'
const isLost = 'a host that reads that it is lost starts nothing at once, and stops what it runs after its limit'
const gone = 'a host that is lost gets nothing new, and loses what may move only when it is gone; it does not come back'

const played = (
  file: string, name: string, guard: string, without: string, seed: number, invariant: string,
): Guard => ({
  name: `in a zone ${name}`, file, guard, without,
  judge: { by: 'seed', seed, options: { scenario: 'placement' }, invariant },
})

export const placement: readonly Guard[] = [
  played(
    'actors/node-daemon/services.ts', 'a host that cannot read stops what may run elsewhere',
    "return spec ? mayMove(spec) : kind === 'process' || !options.ood", 'return false', 1, 'placed-once',
  ),
  played(
    'actors/scheduler/silence.ts', 'a host is given up after its limit', '>= limits.hostLostMs)', '>= 0)', 1,
    'placed-once',
  ),
  played(
    'actors/scheduler/place.ts', 'nothing is crowded in',
    'memoryBytes <= free.memoryBytes && processors <= free.processors', 'true', 1, 'placed-fits',
  ),
  ...guardsOf('actors/scheduler/place.ts', 'test/actors/place.test.ts',
    [
      'nothing is crowded in', 'memoryBytes <= free.memoryBytes && processors <= free.processors', 'true', roundTrip,
    ],
    [
      'what stays fits', 'return host.capacity === undefined || seat.hasRoom(spec)', 'return true', roundTrip,
    ],
    [
      'a new host has the labels', "=== 'alive' && hasLabels(host, spec.labels)", "=== 'alive'",
      'a service runs only where all of its labels are, with their values',
    ],
    [
      'a host that is lost gets nothing new', "=== 'running'\n  && host.life === 'alive'", "=== 'running'",
      gone,
    ],
    [
      'a kernel service is not moved by silence', "(life === 'gone' ? !kernel :", "(life === 'gone' ? true :", gone,
    ],
    [
      'what has its state on a host stays there', 'for (const spec of inOrder) if (spec.stateful)',
      'for (const spec of inOrder) if (false)', gone,
    ],
    [
      'a silent host is not drained yet', "state === 'draining' && life === 'alive')", "state === 'draining')",
      'a drained host keeps what has nowhere to go, and says why; one that is silent is not drained yet',
    ],
  ),
  ...guardsOf('actors/scheduler/silence.ts', 'test/actors/fence.test.ts',
    [
      'a host is given up after its limit', '>= limits.hostLostMs)', '>= 0)',
      'a host is silent for long after its limit without a break, by one clock, and what most are is none',
    ],
    [
      'while most are lost none has been for long', 'isBelieved(called, hosts) ? called : new Set<string>()', 'called',
      'a host is silent for long after its limit without a break, by one clock, and what most are is none',
    ],
    [
      'a host that is heard of begins anew', 'if (!lost.has(name)) this.#since.delete(name)', '',
      'a host is silent for long after its limit without a break, by one clock, and what most are is none',
    ],
  ),
  ...guardsOf('actors/scheduler/hosts-in.ts', 'test/actors/schedule-placement.test.ts',
    [
      'most hosts are not given up at once', ': believed && silent.has(name) ?', ': silent.has(name) ?',
      'hosts that are silent for long lose what they have, but not when they are most of all',
    ],
  ),
  ...guardsOf('actors/node-daemon/fence.ts', 'test/actors/fence.test.ts',
    ['a host that cannot read stops', 'this.#closed = true', '', cannotRead],
    ['a host that is lost is not confirmed', 'if (!this.#lost) {', 'if (true) {', isLost],
    ['a host that is lost starts nothing', 'return !this.#closed && !this.#lost', 'return !this.#closed', isLost],
    [
      'an answer counts from when it was asked for', 'if (this.#closed && this.#leftMs > 0)', 'if (this.#closed)',
      'an answer that comes late counts from when it was asked for',
    ],
    [
      'one that starts anew is not confirmed', 'monotonic() - limits.hostFenceMs + limits.hostConfirmMs', 'monotonic()',
      'a daemon that starts while its host is cut off gives what runs no more than the time of a reading',
    ],
    [
      'that nobody watches is read again', 'this.#lost = lost &&',
      "if (report !== 'regularly') this.#confirmedMs = Infinity\n    this.#lost = lost &&",
      'that nobody watches a host counts for as long as any answer: it may be otherwise since',
    ],
  ),
  ...guardsOf('boot/unmanaged.ts', 'test/actors/fence.test.ts',
    [
      'a host without a daemon runs no programs', "event.state !== 'failed') return", 'true) return',
      'a daemon that is given up takes the programs of its host with it, and of no other',
    ],
  ),
  ...guardsOf('actors/node-daemon/services.ts', 'test/actors/host-loss.test.ts',
    [
      'who is lost starts nothing that may run elsewhere', 'fence.mayStart ? all : fenced(', 'true ? all : fenced(',
      'while it starts again starts nothing that may run elsewhere until it is heard of',
    ],
    [
      'what has its state here goes on', 'return spec ? mayMove(spec) :', 'return spec ? true :',
      'keeps what has its state there, running, and that is told',
    ],
  ),
  ...guardsOf('actors/scheduler/krpc.ts', 'test/actors/placement-access.test.ts',
    [
      'who drains a host may operate it', "(await enforcer()).demand(cx, 'write', kv.control(host))", '',
      'who may operate a host drains it and takes that back, and nobody else',
    ],
  ),
  ...guardsOf('actors/rbac/base.ts', 'test/actors/placement-access.test.ts',
    [
      'a node hears of no other host', 'p, type:node, system/hosts/{node}, read', 'p, type:node, system/hosts/*, read',
      'the node monitor alone says which hosts are lost, and a node hears of itself',
    ],
    [
      'no other service says who is lost', 'p, node-monitor, system/hosts/*, write', 'p, kernel, system/hosts/*, write',
      'the node monitor alone says which hosts are lost, and a node hears of itself',
    ],
  ),
  ...guardsOf('actors/find-service.ts', 'test/actors/find-service.test.ts',
    [
      'nobody is sent to a host that is lost', 'const candidates = well.length > 0 ? well : inState(\'draining\')',
      'const candidates = hosts',
      'a host that is not heard of is never chosen, and one that is drained only where there is no other',
    ],
  ),
]
