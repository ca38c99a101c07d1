import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import { actor } from '../../runtime/actor.ts'
import { LoginDriver } from './protocol.ts'

export default actor(LoginDriver, { needs: { hub: VerifyHub }, stateless: true }, ({ needs: { hub } }) => ({
  async login({ jwts, inFlight }) {
    const began = performance.now()
    let next = 0
    const loop = async (): Promise<void> => {
      while (next < jwts.length) {
        const { sid } = await hub.loginByJwt({ jwt: jwts[next++]! }, { withinMs: 60_000 })
        if (sid === '') throw new Error('A login gave no session')
      }
    }
    await Promise.all(Array.from({ length: inFlight }, loop))
    return { micros: (performance.now() - began) * 1_000 / jwts.length }
  },
}))
