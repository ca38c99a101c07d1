/** What holds over crashes and over several OODs: tokens of root that were used, and hosts that were revoked. */
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hostsPath } from '../actors/enrolment/protocol.ts'
import { kv } from '../actors/records.ts'
import { limits } from '../runtime/limits.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken } from '../runtime/trust/token.ts'
import { keyIn, ownerOf } from './boot-fixtures/cluster.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { eventually, writeKey } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

const { clock, random } = platform
let zone: JoiningZone

test.before(async () => {
  zone = await joiningZone()
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

const rootToken = (audience: string): string => {
  const iat = Math.floor(clock.now() / 1_000)
  return signToken(keyIn(platform, path(zone.cwd, '.zone'), 'owner.key'), {
    iss: 'root', sub: 'root', aud: [audience], iat, exp: iat + 120, appid: 'cli', runtime_type: 'user', epoch: 0,
    jti: toBase64url(random.bytes(12)), token_use: 'root',
  })
}
const reasonOf = ({ value }: { readonly value: unknown }): unknown =>
  (value as { readonly reason?: unknown }).reason

test('a root token that enrolment was shown is used up in the zone, and not only where it was shown', async () => {
  const token = rootToken('enrolment')
  assert.is((await zone.control('GET', hostsPath, '', token)).status, 200)
  assert.is(reasonOf(await zone.control('GET', hostsPath, '', token)), 'token/replayed')
  // As another OOD is to this one: it remembers nothing of what was shown here
  await zone.zone.kill('enrolment')
  await eventually('it serves again', async () =>
    (await zone.control('GET', hostsPath).catch(() => ({ status: 0 }))).status === 200)
  assert.is(reasonOf(await zone.control('GET', hostsPath, '', token)), 'token/replayed')
  assert.is((await zone.control('GET', hostsPath, '', rootToken('enrolment'))).status, 200)
})

test('a document of a revoked host that comes to be there again is taken away at once', async () => {
  const made = await zone.token('node1')
  const { standing: { document } } = await zone.join(made)
  assert.is((await zone.control('DELETE', `${hostsPath}/node1`)).status, 200)
  const owner = ownerOf(zone.zone, platform, path(zone.cwd, '.zone'))
  const there = async () => (await owner.get(kv.device('node1')))?.value
  assert.is(await there(), undefined)
  // As after a crash of who published it, or by an OOD that had read the vault before
  await writeKey(zone, kv.device('node1'), document)
  const ms = await eventually('it is taken away', async () => await there() === undefined)
  assert.ok(ms < limits.registrationSweepMs / 10)
})

test.run()
