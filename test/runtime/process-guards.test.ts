/** What may run here, and as whom: the guards of processes on real files, without a process. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument, StartFailed } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { assertAllowed, assertNoLoader, ProcessNotAllowed } from '../../runtime/process/allowed.ts'
import { openLedger, serviceUsers } from '../../runtime/process/ledger.ts'
import { createPremises } from '../../runtime/process/premises.ts'
import { createProcesses, type ProcessesOptions } from '../../runtime/process/processes.ts'
import { createTrace } from '../../runtime/trace.ts'
import { failureOf } from './link-fixture.ts'

const platform = await openPlatform()
const { machine } = platform.host
const root = realpathSync(mkdtempSync(join(tmpdir(), 'zonewright-guards-')))
const program = join(root, 'bin', 'tool')
// As root each service has a user of its own, who has to come to its program
chmodSync(root, 0o755)
mkdirSync(join(root, 'bin'))
mkdirSync(join(root, 'binary'))
for (const path of [program, join(root, 'binary', 'tool')]) {
  writeFileSync(path, '#!/bin/sh\n')
  chmodSync(path, 0o755)
}
symlinkSync(join(root, 'binary', 'tool'), join(root, 'bin', 'link'))
test.after(() => rmSync(root, { recursive: true, force: true }))

const refusalOf = async (path: string, allow: readonly string[]): Promise<string> => {
  const error = await failureOf(assertAllowed(machine, allow, 'photos', [path], false))
  assert.instance(error, ProcessNotAllowed)
  return error.message
}

test('a program runs when this host names it, by its plain path, which is no link', async () => {
  await assertAllowed(machine, [program], 'photos', [program], false)
  await assertAllowed(machine, [`${root}/bin/*`], 'photos', [program], false)
  assert.match(await refusalOf(program, []), /does not name/)
  assert.match(await refusalOf(join(root, 'binary', 'tool'), [`${root}/bin/*`]), /does not name/)
  assert.match(await refusalOf(`${root}/bin/../binary/tool`, [`${root}/bin/*`]), /no absolute path/)
  assert.match(await refusalOf('tool', ['tool']), /no absolute path/)
  assert.match(await refusalOf(`${root}/bin/link`, [`${root}/bin/*`]), /is a link/)
})

test('an environment that puts code into programs is refused', () => {
  assertNoLoader('photos', { PATH: '/bin', NODE_ENV: 'production' })
  for (const name of ['LD_PRELOAD', 'NODE_OPTIONS', 'BASH_ENV']) {
    assert.throws(() => assertNoLoader('photos', { [name]: 'x' }), (error: Error) => error instanceof ProcessNotAllowed)
  }
})

const options = (name: string): ProcessesOptions =>
  ({ platform, host: 'ood1', trace: createTrace(), allow: [program], folder: join(root, name) })

test('before each start both are looked at', async () => {
  const premises = createPremises(options('premises'))
  assert.instance(await failureOf(premises.placeFor('photos', ['/bin/sh'], 1)), ProcessNotAllowed)
  assert.instance(await failureOf(premises.environment('photos', { LD_PRELOAD: 'x' })), ProcessNotAllowed)
  assert.match((await premises.placeFor('photos', [program], 1)).folder, /premises\/photos$/)
})

test('a service is named like a folder, and a host that stops starts nothing', async () => {
  const processes = createProcesses(options('processes'))
  const tool = { command: [program], health: null, stopMs: 1 }
  const start = (name: string) => processes.start(name, tool, async () => ({}))
  assert.instance(await failureOf(start('Photos')), InvalidArgument)
  await processes.close()
  assert.match((await failureOf(start('photos'))).message, /The host stops/)
})

test('the user of a service is its own for good, and nobody is given one that another has', async () => {
  const files = await platform.host.openFolder(join(root, 'ledger'))
  let taken = new Set<number>()
  const around = { ...machine, usersTaken: async () => taken }
  const { userOf } = await openLedger(files, around, platform.random)
  const { uid } = await userOf('photos')
  assert.ok(uid >= serviceUsers.from && uid <= serviceUsers.to)
  assert.is((await userOf('photos')).uid, uid)
  assert.is.not((await userOf('music')).uid, uid)
  taken = new Set([uid])
  assert.instance(await failureOf(userOf('photos')), StartFailed)
})

test('a list of users that is damaged is not made anew: folders belong to whom it says', async () => {
  const files = await platform.host.openFolder(join(root, 'damaged'))
  for (const text of ['{', '{"mark": 1}']) {
    await files.write('processes.json', new TextEncoder().encode(text), { mode: 0o600 })
    assert.instance(await failureOf(openLedger(files, machine, platform.random)), StartFailed)
  }
})

test.run()
