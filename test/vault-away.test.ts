/** The vault of an OOD ends: tunnels that there are go on, and the listener with them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { TunnelEnd } from '../transport/tunnel/protocol.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { dial, joinNode, link, type JoinedNode } from './boot-fixtures/dialled.ts'
import { eventually } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, type JoiningZone } from './boot-fixtures/joining.ts'

let zone: JoiningZone
let node: JoinedNode
let end: TunnelEnd
test.before(async () => {
  zone = await joiningZone()
  node = await joinNode(zone, 'node1')
  end = await dial(zone, { by: node.joined })
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const stateOf = (name: string) => zone.zone.list().find((each) => each.name === name)!
const opens = async (by: TunnelEnd): Promise<string> => (await by.open(link('system-config'))).granted.host

test('a vault that ends, and verify-hub with it, ends no tunnel and not the listener', async () => {
  const { incarnation } = stateOf('enrolment')
  let closed = ''
  void end.closed.then((reason) => { closed = reason })
  const over = zone.zone.kill('vault')
  assert.is(await opens(end), 'ood1')
  await over
  await eventually('verify-hub serves again', () => stateOf('verify-hub').restarts > 0
    && ['vault', 'verify-hub'].every((name) => stateOf(name).state === 'serving'))
  assert.equal([closed, stateOf('enrolment').incarnation], ['', incarnation])
  assert.is(await opens(end), 'ood1')
  const made = await zone.token('node2')
  assert.is((await zone.join(made, {})).host, 'node2', 'it has its links to them again')
})

test.run()
