/** Every order of starts of the control plane, with every crash at every step of the boot. */
import { describeCase } from '../../boot/sim/orders.ts'
import { allStartCases, runStartOrder } from '../../boot/sim/start-orders.ts'

export const startOrdersHelp = `start-orders [--cases 0..N] [--keys cheap|real]
    boots in each order of starts, crashes at each step, and waits until all is back`

export interface StartOrdersOptions {
  readonly cases: readonly number[]
  readonly keys: 'real' | 'cheap'
}

/** @returns how many passed and failed */
export async function soakStartOrders(
  { cases: [first = 0, last = Infinity], keys }: StartOrdersOptions,
): Promise<{ passed: number; failed: number }> {
  const began = performance.now()
  const { cases, byNeeds, byBoot } = await allStartCases()
  const returns = new Set(cases.map(({ back }) => back.join(' ')).filter((back) => back !== ''))
  console.log(`orders: ${byNeeds.length} by the needs, ${byBoot.length} with the sequence of a boot, `
    + `${returns.size} in which what fell with a worker comes back; ${cases.length} cases`)
  const chosen = cases.filter(({ index }) => index >= first && index <= last)
  const total = { events: 0, boots: 0, failed: 0, cameBack: 0, backMs: 0 }
  for (const [done, one] of chosen.entries()) {
    const report = await runStartOrder({ seed: one.index, keys })
    total.events += report.events
    total.boots += report.boots
    total.backMs = Math.max(total.backMs, report.backMs)
    if (report.cameBack) total.cameBack++
    if (report.failure) {
      total.failed++
      console.log(`${describeCase(one)}\n  ${report.failure.invariant}: ${report.failure.detail}`)
      console.log(`  again: npm run soak -- start-orders --cases ${one.index}..${one.index} --keys ${keys}`)
    }
    if ((done + 1) % 250 === 0 || done + 1 === chosen.length) {
      const seconds = (performance.now() - began) / 1000
      console.log(`${done + 1} of ${chosen.length}: ${seconds.toFixed(0)} s, ${total.events} events, `
        + `${total.boots} boots, ${total.cameBack} returns while the host stayed up, `
        + `all back after ${Math.round(total.backMs)} ms at most, ${total.failed} failed`)
    }
  }
  return { passed: chosen.length - total.failed, failed: total.failed }
}
