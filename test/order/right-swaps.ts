import { Right } from './protocol.ts'
import { speaker, type Callees } from './speak.ts'

/** Of its burst to the ledger. */
const SWAPPED = 40

/** One message leaves after the one that follows it: what a runtime that loses order would do. */
function swapping(ledger: Callees['ledger']): Callees['ledger'] {
  let sent = 0
  let kept: (() => unknown) | undefined
  return new Proxy(ledger, {
    get: (client, method) => (...args: readonly unknown[]): unknown => {
      const send = (): unknown => Reflect.apply(Reflect.get(client, method), client, args)
      if (++sent === SWAPPED) return void (kept = send)
      const answer = send()
      kept?.()
      kept = undefined
      return answer
    },
  })
}

export default speaker(Right, ({ ledger, hub }) => ({ ledger: swapping(ledger), hub }))
