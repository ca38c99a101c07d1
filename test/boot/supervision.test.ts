/** Who may ask a host's supervisor for what. Nothing behind the guards is there: who comes through meets no host. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { supervisionOf, type HostParts } from '../../boot/supervision.ts'
import type { Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { Denied, StartFailed } from '../../runtime/errors.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import { failureOf } from '../runtime/link-fixture.ts'

const running = [{ name: 'vault', state: 'serving', incarnation: 1, reason: '', restarts: 0, since: 0 }]
const parts = {
  host: 'ood1', managed: (name: string) => name !== 'vault', versions: new Map(),
  supervisor: () => ({ list: () => running }), processes: { list: () => [] },
} as unknown as HostParts
interface Serving {
  readonly handlers: Handlers<typeof Supervision>
  readonly lifecycle: Lifecycle
}
const serving = async (of: HostParts): Promise<Serving> =>
  await supervisionOf(of).start({} as never) as unknown as Serving
const { handlers, lifecycle } = await serving(parts)

const peer = (actor: string, host = 'ood1'): Peer =>
  ({ zone: 'z1', host, actor, runtimeType: 'ood', incarnation: 1, kid: actor })
const as = (actor: string) => ({ peer: peer(actor), signal: new AbortController().signal }) as never
const reasonOf = async (run: () => unknown): Promise<unknown> => {
  const error = await failureOf((async () => run())())
  assert.instance(error, Denied)
  return error.details['reason']
}

test('only the node daemon starts, stops, kills, reads logs and denials, and says which hosts there are', async () => {
  const attempts: readonly (() => unknown)[] = [
    () => handlers.start({ actors: [] }, as('gateway')),
    () => handlers.stop({ name: 'photos' }, as('gateway')),
    () => handlers.kill({ host: 'ood1' }, as('gateway')),
    () => handlers.logs({ tail: 1, follow: false }, as('gateway')),
    () => handlers.denial({ id: 'D-00000000' }, as('gateway')),
    () => handlers.devices({ documents: {} }, as('gateway')),
    () => handlers.devicesChanged({ from: '', put: {}, gone: [] }, as('gateway')),
    () => handlers.migrate({}, as('gateway')),
    () => handlers.migration({}, as('gateway')),
    () => handlers.migrationPlan({}, as('gateway')),
  ]
  for (const attempt of attempts) assert.is(await reasonOf(attempt), 'supervision/not-node-daemon')
})

test('also the daemon starts and stops nothing of the control plane', async () => {
  const start = () => handlers.start({ actors: [{ name: 'vault', env: {} }] }, as('node-daemon'))
  assert.is(await reasonOf(start), 'supervision/not-managed')
  assert.is(await reasonOf(() => handlers.stop({ name: 'vault' }, as('node-daemon'))), 'supervision/not-managed')
})

test('a program does not take the name of an actor that ships with Zonewright', async () => {
  const { handlers: all } = await serving({ ...parts, managed: () => true })
  const program = { command: ['/bin/true'], health: null, stopMs: 1 }
  const start = async () => all.start({ actors: [{ name: 'vault', env: {}, program }] }, as('node-daemon'))
  const error = await failureOf(start())
  assert.instance(error, StartFailed)
  assert.match(error.message, /ships with Zonewright has this name/)
})

test('it is linked to the daemon and the gateway of its own host, and to nobody else', () => {
  const admitted = (one: Peer): boolean => lifecycle.admit!(one, 'sealed')
  assert.equal([peer('node-daemon'), peer('gateway')].map(admitted), [true, true])
  assert.equal([peer('node-daemon', 'node1'), peer('photos'), peer('vault')].map(admitted), [false, false, false])
})

test.run()
