import type { CallContext, Handlers } from '../../runtime/actor.ts'
import { object, string } from '../../runtime/protocol.ts'
import { answering, method, streaming, type KrpcTable } from '../krpc.ts'
import type { SystemConfig } from './protocol.ts'

type Own = Omit<Handlers<typeof SystemConfig, {}>, 'krpc' | 'krpcStream'>

/** The originals' methods (reference: system-config RPC), on our own handlers. */
export function krpc(own: Own): Pick<Handlers<typeof SystemConfig, {}>, 'krpc' | 'krpcStream'> {
  const table: KrpcTable<CallContext<{}>, unknown> = {
    sys_config_get: method(object({ key: string() }), ({ key }, cx: CallContext<{}>) => own.get({ key }, cx)),
  }
  return { krpc: answering(table), krpcStream: streaming<CallContext<{}>>({}) }
}
