import { actor } from '../../../runtime/actor.ts'
import { messageOf } from '../../../runtime/errors.ts'
import { Pretender } from './protocols.ts'

const refusal = async (act: () => unknown): Promise<string> => {
  try {
    await act()
    return 'allowed'
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error)}`
  }
}

export default actor(Pretender, {}, (start) => ({
  ask: async () => [
    await refusal(() => start.carry({ open: () => new Promise(() => {}) })),
    await refusal(() => start.accept('clerk', { host: 'node1', actor: 'desk', incarnation: 1 })),
  ],
}))
