import { actor } from '../../runtime/actor.ts'
import { pause } from '../../runtime/within.ts'
import { Ledger } from './protocol.ts'
import { Recorder } from './recorder.ts'

async function* upTo(count: number): AsyncIterable<number> {
  for (let item = 0; item < count; item++) yield item
}

export default actor(Ledger, {}, ({ clock, random }) => {
  const recorder = new Recorder()
  const draws = random.fork('draws')
  /** Later calls overtake earlier ones on their way to the answer. */
  const takesItsTime = (): Promise<void> => pause(clock, draws.bytes(1)[0]! / 32)
  return {
    handlers: {
      note: (args, cx) => void recorder.note('note', args, cx),
      add: (args, cx) => recorder.note('add', args, cx),
      sign: (args, cx) => recorder.note('sign', args, cx),
      async read(args, cx) {
        const place = recorder.note('read', args, cx)
        await takesItsTime()
        return place
      },
      list(args, cx) {
        void recorder.noteBoth('list', args, cx)
        return upTo(args.count)
      },
      hold: (args, cx) => recorder.noteBoth('hold', args, cx),
      handed: () => recorder.handed,
    },
    lifecycle: {
      // Without an end of the verdict, each call is held up by its own, and what comes behind it too
      async authenticate(token) {
        await takesItsTime()
        return { sub: token, appid: 'order', runtimeType: 'user', sudo: false }
      },
    },
  }
})
