import type { Evidence } from '../../../runtime/actor.ts'
import { limits } from '../../../runtime/limits.ts'
import { WEB_SEQUENCE, webStep } from '../../web-steps.ts'

export type Mark = (what: keyof typeof webStep, app: string, evidence: Evidence) => void

/** A documented step is told once for each app: later sign-ins are its like. */
export function createMark(step: (sequence: string, number: number, evidence: Evidence) => void): Mark {
  const told = new Set<string>()
  return (what, app, evidence) => {
    const name = `${what}/${app}`
    if (told.has(name) || told.size >= limits.denials) return
    told.add(name)
    step(WEB_SEQUENCE, webStep[what], { app, ...evidence })
  }
}
