/** A zone gets a new epoch, as by a restore: a host that joined comes to it by itself, and takes no old ticket. */
import { readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeStep } from '../actors/node-steps.ts'
import { planRenewal } from '../boot/backup/renew-epoch.ts'
import type { RunningHost } from '../boot/host/run.ts'
import { file } from '../boot/init.ts'
import { nodeSequence } from '../boot/sequences.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { limits } from '../runtime/limits.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { eventually, joinHost } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform } from './boot-fixtures/joining.ts'
import { OriginalsClient } from './krpc-client.ts'

let again: RunningZone | undefined
let running: RunningHost | undefined
test.after(async () => {
  await running?.stop()
  await again?.stop()
  removeFolders()
})

test('a host that joined before goes on in the new epoch by itself, once it is told of it', async () => {
  const zone = await joiningZone()
  const host = await joinHost(zone, 'node1')
  running = await host.run()
  await running.serving
  await running.stop()
  running = undefined
  await zone.stop()
  const folder = path(zone.cwd, '.zone')
  const owner = platform.keys.importPem(readFileSync(path(folder, file.ownerKey), 'utf8'))
  const plan = await planRenewal({ platform, folder, owner })
  await plan.run()
  await plan.release()

  const text = `addr: 127.0.0.1:${zone.port}\ntls_config: { enable: true }\n`
  again = await up({ platform, folder, config: { path: 'config.yaml', text } })
  const loggedIn = (): number => host.steps.filter(({ number, sequence }) =>
    sequence === nodeSequence.name && number === nodeStep.pairReceived).length
  const before = loggedIn()
  // What it was told last is of the epoch before, and its certificate was in memory
  running = await host.run({ certificate: undefined as never })
  assert.equal([running.identity.zone.epoch, plan.epoch], [0, 1])
  await eventually('it logs in again', () => loggedIn() > before, limits.hostEpochLookMs + 40_000)
  assert.ok(host.logs.some(({ message }) => /another epoch, 1 after 0/.test(message)))
  await eventually('it serves', () => running!.list().state === 'serving' && running!.address() !== undefined, 30_000)

  const { port } = running.address()!
  const client = new OriginalsClient(async (at, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${at}`, {
      method: 'POST', body, headers: { 'content-type': 'application/json' },
    })
    return { status: response.status, text: await response.text() }
  }, 'system_config', zone.session)
  const { code, message } = await client.refusal('sys_config_get', { key: 'boot/config' })
  assert.match(`${code} ${message}`, /epoch/)
})

test.run()
