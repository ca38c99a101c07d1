/** A host that joined runs by itself, over TLS: the documented login, its config, its services, and after outages. */
import { readdirSync, readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeStep } from '../actors/node-steps.ts'
import { kv } from '../actors/records.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { nodeSequence } from '../boot/sequences.ts'
import type { RunningHost } from '../boot/host/run.ts'
import { limits } from '../runtime/limits.ts'
import type { HostState } from '../runtime/supervision.ts'
import { ownerOf } from './boot-fixtures/cluster.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { eventually, joinHost, writeKey, type JoinedHost } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'
import { OriginalsClient } from './krpc-client.ts'
import { PATH, SH } from './processes-fixture.ts'
import type { StepEvent } from '../runtime/trace.ts'

/** At the latest a control plane that is gone is noticed by its silence, and then tried at its interval. */
const BACK_MS = limits.tunnelSilenceMs + limits.uplinkRetryMsMax + 5_000
/** As DESIGN §7 promises of live links. */
const CUT_MS = 5_000
let zone: JoiningZone
let host: JoinedHost
let running: RunningHost
const zoneSteps: StepEvent[] = []

test.before(async () => {
  zone = await joiningZone()
  zone.zone.trace.on('step', (event) => void zoneSteps.push(event))
  host = await joinHost(zone, 'node1', `processes: { allow: [${SH}] }\n`)
  running = await host.run()
  await running.serving
})
test.after(async () => {
  await (running as RunningHost | undefined)?.stop()
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

const owner = () => ownerOf(zone.zone, platform, path(zone.cwd, '.zone'))
const actor = (name: string): HostState['actors'][number] | undefined =>
  running.list().actors.find((each) => each.name === name)
const connected = async (): Promise<boolean> =>
  (await running.uplink().catch(() => undefined))?.state === 'connected'

test('the documented login of a node goes over the tunnel: each step is marked by its receiver', async () => {
  const marks = [...host.steps, ...zoneSteps].filter(({ sequence }) => sequence === nodeSequence.name)
  for (const { number, to } of nodeSequence.steps.filter((one) => one.number !== nodeStep.refreshReceived)) {
    const found = marks.filter((mark) => mark.number === number)
    assert.ok(found.length > 0, `step ${number}`)
    assert.equal([...new Set(found.map((mark) => mark.actor))], [to], `step ${number}`)
  }
  const [signed] = marks.filter(({ number }) => number === nodeStep.loginTokenSigned)
  assert.is(signed!.evidence['kid'], platform.keys.importJwk(host.key).kid)
  assert.is(signed!.host, 'node1')
})

test('and without the trace: it is registered, has a config, and says how it is through the zone', async () => {
  const document = await owner().get(kv.device('node1'))
  assert.ok(document)
  assert.is((JSON.parse((await owner().get(kv.node('node1')))!.value) as { host: string }).host, 'node1')
  await eventually('it tells of itself', async () => await owner().get(kv.deviceInfo('node1')) !== null)
  const info = JSON.parse((await owner().get(kv.deviceInfo('node1')))!.value) as { name: string; runtime: string }
  assert.equal([info.name, info.runtime], ['node1', platform.host.runtime])
})

test('its folder holds its key and what it knows; key and certificate of TLS are on no disk', async () => {
  const names = readdirSync(host.folder, { recursive: true }).map(String)
  assert.ok(names.includes('device.key') && names.includes('host.json'), names.join())
  const { key } = host.joined.tls
  const body = key.split('\n').slice(1, 2).join('')
  for (const name of names) {
    let text = ''
    try {
      text = readFileSync(path(host.folder, name), 'latin1')
    } catch {
      // A folder
    }
    assert.not.ok(text.includes(body), name)
  }
})

test('programs of the host reach the zone by its gateway, and only what checks each call itself', async () => {
  const { port } = running.address()!
  const post = async (at: string, body: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${at}`, {
      method: 'POST', body, headers: { 'content-type': 'application/json' },
    })
    return { status: response.status, text: await response.text() }
  }
  const client = new OriginalsClient(post, 'system_config', zone.session)
  const refused = await client.refusal('sys_config_get', { key: 'boot/config' })
  assert.match(refused.code, /Denied/, 'the session is for another audience')
  assert.is((await post('/kapi/scheduler', '{}')).status, 404)
  assert.is((await fetch(`http://127.0.0.1:${port}/`)).status, 404)
  assert.is((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200)
})

test('it runs a service that is placed on it, which logs in by what its daemon gave it', async () => {
  const spec = {
    name: 'notes', appid: 'notes', owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 2,
    run: { command: [SH, '-c', 'exec sleep 600'], stopMs: 2_000, env: PATH },
  }
  await writeKey(zone, kv.spec('notes'), spec)
  await eventually('it runs there', () => actor('notes')?.state === 'serving', 20_000)
  const environment = readFileSync(`/proc/${actor('notes')!.processId}/environ`, 'utf8').split('\0')
  const token = environment.find((one) => one.startsWith('NOTES_SESSION_TOKEN='))!.split('=')[1]!
  assert.ok(environment.includes(`ZONEWRIGHT_GATEWAY=http://127.0.0.1:${running.address()!.port}`))
  const post = async (at: string, body: string) => {
    const response = await fetch(`http://127.0.0.1:${running.address()!.port}${at}`, {
      method: 'POST', body, headers: { 'content-type': 'application/json' },
    })
    return { status: response.status, text: await response.text() }
  }
  const pair = await new OriginalsClient(post, 'verify-hub').call('login_by_jwt', {
    type: 'jwt', jwt: token,
  }) as { session_token: string }
  assert.ok(pair.session_token)
})

test('the control plane loses the actor that holds the tunnels: the host goes on and is back by itself', async () => {
  const before = await running.uplink()
  await zone.zone.kill('enrolment')
  await eventually('it is connected again', async () =>
    await connected() && (await running.uplink()).tunnels > before.tunnels, BACK_MS)
  assert.is(actor('notes')?.state, 'serving', 'what it runs has not stopped')
  assert.is(running.list().starts, 1)
  await sees()
})

test('the control plane restarts: the host goes on and is back by itself', async () => {
  const before = await running.uplink()
  await zone.zone.killHost('ood1')
  await eventually('it is connected again', async () =>
    await connected() && (await running.uplink()).tunnels > before.tunnels, BACK_MS)
  assert.is(actor('notes')?.state, 'serving')
  await sees()
})

/** What changes in the zone reaches the host. */
async function sees(): Promise<void> {
  const item = await owner().get(kv.spec('notes'))
  const spec = JSON.parse(item!.value) as { generation?: number }
  const { processId } = actor('notes')!
  await writeKey(zone, kv.spec('notes'), { ...spec, generation: (spec.generation ?? 0) + 1 })
  await eventually('it runs the service anew', () => {
    const found = actor('notes')
    return found?.state === 'serving' && found.processId !== processId
  }, BACK_MS)
}

test('its uplink dies: a new one takes up all links', async () => {
  await running.kill('uplink')
  await eventually('it is connected again', connected, BACK_MS)
  await sees()
})

test('started again it has no certificate: it asks for one by its device key, and goes on', async () => {
  await running.stop()
  running = await host.run({ certificate: undefined as never })
  await running.serving
  const { certificate } = await running.uplink()
  assert.ok(certificate && certificate.serial !== host.joined.serial)
  const { certificates } = await zone.zone.get(Vault).certificates({ mount: 'pki', limit: 1_000 })
  assert.ok(certificates.some(({ serial }) => serial === certificate.serial))
  await eventually('its service runs again', () => actor('notes')?.state === 'serving', 20_000)
})

test('a host whose document is removed is cut off at once, and let in again when it is back', async () => {
  const document = (await owner().get(kv.device('node1')))!.value
  await writeKey(zone, kv.device('node1'), undefined)
  await eventually('it is not connected', async () => !await connected(), CUT_MS)
  await writeKey(zone, kv.device('node1'), document)
  await eventually('it is connected again', connected, BACK_MS)
})

test.run()
