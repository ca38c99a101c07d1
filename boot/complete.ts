import { bootStep } from '../actors/boot-steps.ts'
import { StartFailed } from '../runtime/errors.ts'
import type { Clock } from '../runtime/platform/ports.ts'
import type { StepEvent, Trace } from '../runtime/trace.ts'
import { deferred, within } from '../runtime/within.ts'
import { bootSequence } from './sequences.ts'

/** Steps that each service goes through after it was started. */
const perService = bootSequence.steps.filter(({ each }) => each).map(({ number }) => number)
const once = bootSequence.steps.filter(({ each }) => !each)
/** Those that the service itself receives. */
const ownSteps = [bootStep.loginTokenReceived, bootStep.pairReceived]

/** Documented steps that are not marked yet, as `number` or `number appid`. */
export function missingSteps(steps: readonly StepEvent[], options: { secondBoot: boolean }): readonly string[] {
  const marked = new Set(steps.filter(({ sequence }) => sequence === bootSequence.name).map(({ number }) => number))
  const services = new Map<string, Set<number>>()
  for (const { sequence, number, evidence } of steps) {
    if (sequence !== bootSequence.name || !perService.includes(number)) continue
    const appid = String(evidence['appid'])
    services.set(appid, (services.get(appid) ?? new Set()).add(number))
  }
  // A service of another host is known here by what it asked of verify-hub and system-config only
  for (const [appid, numbers] of services) if (!ownSteps.some((number) => numbers.has(number))) services.delete(appid)
  const single = once
    .filter(({ number, firstBootOnly }) => !marked.has(number) && !(options.secondBoot && firstBootOnly))
    .map(({ number }) => String(number))
  if (services.size === 0) return [...single, ...perService.map(String)]
  const names = [...services.keys()].sort()
  return [
    ...single,
    ...perService.flatMap((number) =>
      names.filter((name) => !services.get(name)?.has(number)).map((name) => `${number} ${name}`),
    ),
  ]
}

/** Settles when every documented step was marked. @throws StartFailed that names those that were not */
export async function sequenceComplete(options: {
  steps: () => readonly StepEvent[]
  trace: Trace
  clock: Clock
  withinMs: number
  secondBoot: boolean
}): Promise<void> {
  const { steps, trace, clock, withinMs } = options
  const complete = deferred<void>()
  const look = (): void => {
    if (missingSteps(steps(), options).length === 0) complete.resolve()
  }
  trace.on('step', look)
  look()
  try {
    await within(
      clock,
      withinMs,
      complete.promise,
      () =>
        new StartFailed(
          `The boot sequence did not complete within ${withinMs} ms; missing steps: ` +
            missingSteps(steps(), options).join(', '),
        ),
    )
  } finally {
    trace.off('step', look)
  }
}
