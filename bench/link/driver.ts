import { actor } from '../../runtime/actor.ts'
import { measure, text } from './payload.ts'
import { Driver, Echo } from './protocol.ts'
import { SESSION } from './token.ts'

export default actor(Driver, { needs: { echo: Echo }, stateless: true }, ({ needs, env }) => {
  const settings = { token: env[SESSION]! }
  return {
    async run({ method, inFlight, ms }) {
      const call = needs.echo[method]
      const last = { text: '', n: 0 }
      const rate = await measure(async (n) => Object.assign(last, await call({ text, n }, settings)), inFlight, ms)
      if (last.text !== text || last.n < 0) throw new Error('The echo answered with something else')
      return rate
    },
  }
})
