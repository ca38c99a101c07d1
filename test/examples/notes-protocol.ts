import { array, call, object, protocol, string } from '../../runtime/protocol.ts'

export const Notes = protocol('notes', {
  add: call(object({ line: string() }), object({})),
  all: call(object({}), array(string())),
})
