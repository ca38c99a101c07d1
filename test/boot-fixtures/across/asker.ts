import { actor } from '../../../runtime/actor.ts'
import { messageOf } from '../../../runtime/errors.ts'
import { pause } from '../../../runtime/within.ts'
import { Asker, Echo } from './protocol.ts'

export default actor(Asker, {
  needs: { echo: Echo }, servesWithout: ['echo'], stateless: true,
}, ({ needs, clock, stopping, background, log }) => {
  let answers = 0
  background(async () => {
    for (let n = 0; !stopping.aborted; n++) {
      try {
        const { host, asked } = await needs.echo.where({ n }, { withinMs: 1_000 })
        answers++
        log.info('answered', { n, host, asked })
      } catch (error) {
        if (!stopping.aborted) log.warn(`not answered: ${messageOf(error)}`)
      }
      await pause(clock, 100, stopping)
    }
  })
  return { handlers: { asked: () => ({ answers }) }, lifecycle: {} }
})
