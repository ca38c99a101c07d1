import { bootStep } from '../../../actors/boot-steps.ts'
import { reachableActors } from '../../../actors/trust-matrix.ts'
import { Supervision } from '../../../runtime/supervision.ts'
import type { ActorEvent } from '../../../runtime/trace.ts'
import { bootSequence } from '../../sequences.ts'
import { isOod, OOD } from '../cluster.ts'
import type { Checks, Scene } from '../invariants.ts'

/** States of the actors of each host, forgotten when the host or its process begins anew. */
class States {
  readonly #hosts = new Map<string, Map<string, ActorEvent>>()

  of(host: string): Map<string, ActorEvent> {
    const found = this.#hosts.get(host) ?? new Map<string, ActorEvent>()
    this.#hosts.set(host, found)
    return found
  }

  forget(host?: string): void {
    if (host === undefined) this.#hosts.clear()
    else this.#hosts.delete(host)
  }
}

/** What an actor cannot serve without, of those that run on its own host. */
export function needsByHost(definitions: Scene['definitions']): (name: string, host: string) => readonly string[] {
  const hard = new Map([...definitions].map(([name, { needs, servesWithout = [] }]) =>
    [name, Object.values(needs).map((need) => need.name).filter((need) => !servesWithout.includes(need))]))
  return (name, host) => {
    const needs = hard.get(isOod(host) ? name : `node:${name}`) ?? []
    return needs.filter((need) => need !== Supervision.name && (isOod(host) || !reachableActors.includes(need)))
  }
}

export function needsFirst({ definitions, broken }: Scene): Checks {
  const states = new States()
  const neededHere = needsByHost(definitions)
  return {
    boot: () => states.forget(),
    host({ host, state }) {
      if (state === 'starting') states.forget(host)
    },
    actor(event) {
      const { host, actor, state } = event
      states.of(host).set(actor, event)
      if (state !== 'serving') return
      const absent = neededHere(actor, host).filter((need) => states.of(host).get(need)?.state !== 'serving')
      if (absent.length > 0) broken(`${actor} serves on ${host}, and ${absent.join(', ')} does not`)
    },
  }
}

export function oneIncarnation({ broken }: Scene): Checks {
  const states = new States()
  /** As they served last. */
  const served = new States()
  return {
    boot() {
      states.forget()
      served.forget()
    },
    host({ host, state }) {
      if (state !== 'starting') return
      states.forget(host)
      served.forget(host)
    },
    actor(event) {
      const { host, actor, state, incarnation } = event
      const before = states.of(host).get(actor)
      states.of(host).set(actor, event)
      if (!before) return
      const was = before.incarnation
      if (incarnation < was) broken(`${actor} on ${host} went from incarnation ${was} to ${incarnation}`)
      if (state !== 'serving') return
      if (before.state === 'serving') broken(`two of ${actor} serve on ${host}`)
      const last = served.of(host).get(actor)
      if (last?.incarnation === incarnation) broken(`incarnation ${incarnation} of ${actor} on ${host} serves twice`)
      served.of(host).set(actor, event)
    },
  }
}

/** Which steps each one follows from, of those that one receiver marks: what two of them mark comes by two ways. */
const after: Readonly<Record<number, readonly number[]>> = {
  [bootStep.firstWrite]: [bootStep.trustKeyReceived],
  [bootStep.normalPhase]: [bootStep.trustKeyReceived],
  [bootStep.deviceSession]: [bootStep.normalPhase],
  [bootStep.verifyHubSession]: [bootStep.normalPhase],
  [bootStep.serviceSession]: [bootStep.deviceSession],
  [bootStep.loginReceived]: [bootStep.verifyHubKeyLoaded],
  [bootStep.refreshReceived]: [bootStep.loginReceived],
  [bootStep.pairReceived]: [bootStep.loginTokenReceived],
}

export function stepsInOrder({ broken }: Scene): Checks {
  let marked = new Set<number>()
  return {
    boot: () => { marked = new Set() },
    host({ host, state }) {
      if (host === OOD && state === 'starting') marked = new Set()
    },
    step({ sequence, number, host }) {
      if (sequence !== bootSequence.name || host !== OOD) return
      marked.add(number)
      const missing = (after[number] ?? []).filter((step) => !marked.has(step))
      if (missing.length > 0) broken(`step ${number} is marked before ${missing.join(', ')}`)
    },
  }
}
