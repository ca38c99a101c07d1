import { actor } from '../../runtime/actor.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { Leaky } from './leaky-protocol.ts'

export default actor(Leaky, { stateless: true }, ({ secrets, env, log, background, keys, random, denials }) => {
  const { planted = '', pem = '' } = secrets
  if (env['FAIL_AT_START'] !== undefined) throw new Error(`cannot start with ${planted}`)
  return {
    fail() {
      throw new Error(`broken: ${planted} and ${pem}`)
    },
    log() {
      const fresh = keys.generate(random).exportPem()
      log.error(`it is ${planted}, ${encodeURIComponent(planted)}, ${toBase64url(new TextEncoder().encode(planted))}`, {
        planted, list: [{ deep: `x${planted}x`, pem: pem.replaceAll('\n', '') }], password: 'hunter2-hunter2',
      } as never)
      log.warn(pem)
      log.warn(`a key that nobody was told of: ${fresh.split('\n').slice(1, 2).join('')}`)
      return {}
    },
    background() {
      background(async () => { throw new Error(`lost ${planted}`) })
      return {}
    },
    uncaught() {
      void Promise.resolve().then(() => { throw new Error(`uncaught ${planted}`) })
      return {}
    },
    env() {
      log.info(`env ${env['OPEN'] ?? ''}`)
      return {}
    },
    deny({ token }) {
      throw denials.denied([deniedBy({
        layer: 'token', reason: 'token/malformed', rule: '-', detail: `got ${token} and ${planted}`,
      })])
    },
  }
})
