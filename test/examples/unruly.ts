import process from 'node:process'
import { actor, type ActorStart } from '../../runtime/actor.ts'
import { pause } from '../../runtime/within.ts'
import { Unruly } from './unruly-protocol.ts'

const boom = (): never => {
  throw new Error('Planted')
}

export const mailbox = 4

/** An actor that dies in every way that a worker can. */
export const start = ({ clock, background, secrets, self }: ActorStart) => {
  const ways = {
    throw: () => void clock.after(1, boom),
    reject: () => void Promise.resolve().then(boom),
    background: () => background(async () => boom()),
    loop: () => {
      for (;;);
    },
    exit: () => process.exit(3),
  }
  return {
    echo: ({ text }: { text: string }) => text,
    incarnation: () => self.incarnation,
    async occupy({ ms }: { ms: number }) {
      await pause(clock, ms)
      return ms
    },
    secretLength: ({ name }: { name: string }) => secrets[name]?.length ?? 0,
    note: () => {},
    fail: ({ how }: { how: keyof typeof ways }) => void ways[how](),
  }
}

export default actor(Unruly, { mailbox }, start)
