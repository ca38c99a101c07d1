/** Takes every guard out, where a test run takes out a share of them. */
import { guards } from '../mutations/guards.ts'
import { judgeAll, judgeName, trialsOf, unnoticed, type Trial, type Verdict } from '../mutations/judging.ts'

export const mutationsHelp = `mutations
    takes out every guard of test/mutations/guards.ts, one at a time: a test, or a simulated run, has to fail`

const faultOf = ({ guard }: Trial, verdict: Verdict): string | undefined =>
  guard ? unnoticed(guard, verdict) : verdict.verdict === 'passed' ? undefined : 'it does not pass with every guard'

/** @returns how many passed and failed */
export async function soakMutations(): Promise<{ passed: number; failed: number }> {
  const began = performance.now()
  let [passed, failed] = [0, 0]
  for (const [trial, verdict] of await judgeAll(trialsOf(guards))) {
    const fault = await verdict.then(found => faultOf(trial, found), (error: unknown) => String(error))
    if (fault === undefined) passed++
    else {
      failed++
      console.log(`${trial.guard ? `${trial.guard.file}: ${trial.guard.name}` : judgeName(trial.judge)}: ${fault}`)
    }
  }
  const seconds = (performance.now() - began) / 1_000
  console.log(`mutations: ${guards.length} guards, ${seconds.toFixed(0)} s, ${failed} failed`)
  return { passed, failed }
}
