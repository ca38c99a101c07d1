import type { CallContext } from '../../runtime/actor.ts'
import type { Handed } from './protocol.ts'

type Handing = Pick<CallContext, 'peer' | 'signal'>

/** Keeps what one incarnation of an actor is handed, in order. */
export class Recorder {
  readonly handed: Handed[] = []

  note(method: string, { id }: { readonly id: string }, { peer }: Pick<Handing, 'peer'>): number {
    return this.handed.push({ caller: peer.actor, incarnation: peer.incarnation, what: `${method} ${id}` })
  }

  /** Notes the message, and its cancellation when that arrives; settles then. */
  noteBoth(method: string, args: { readonly id: string }, { peer, signal }: Handing): Promise<number> {
    this.note(method, args, { peer })
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(this.note('cancel', args, { peer })))
    })
  }
}
