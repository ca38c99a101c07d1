import { actor } from '../../runtime/actor.ts'
import { Hub, Ledger, type Sent } from './protocol.ts'
import { Recorder } from './recorder.ts'

export default actor(Hub, { needs: { ledger: Ledger } }, () => {
  const recorder = new Recorder()
  const sent: Sent[] = []
  const log = (method: string, { id }: { readonly id: string }): void =>
    void sent.push({ callee: 'ledger', what: `${method} ${id}` })
  return {
    pass(args, cx) {
      recorder.note('pass', args, cx)
      log('note', args)
      cx.ledger.note(args)
      log('add', args)
      return cx.ledger.add(args)
    },
    fan(args, cx) {
      recorder.note('fan', args, cx)
      log('read', args)
      return cx.ledger.read(args)
    },
    tail(args, cx) {
      recorder.note('tail', args, cx)
      log('list', args)
      return cx.ledger.list(args)
    },
    hold(args, cx) {
      void recorder.noteBoth('hold', args, cx)
      // Cancelled with the call that it is made for
      cx.signal.addEventListener('abort', () => log('cancel', args))
      log('hold', args)
      return cx.ledger.hold(args)
    },
    handed: () => recorder.handed,
    sent: () => sent,
  }
})
