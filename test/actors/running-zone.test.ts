import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Gateway } from '../../actors/gateway/protocol.ts'
import { BootScheduler } from '../../actors/scheduler/protocol.ts'
import { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { kv } from '../../actors/records.ts'
import { Service } from '../../actors/service/protocol.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { file } from '../../boot/init.ts'
import type { RunningZone } from '../../boot/up.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { denialReasons } from '../../runtime/trust/denial.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { pause } from '../../runtime/within.ts'
import { bootIn, simulateZones, type SimulatedBoot } from '../boot-fixtures/simulated.ts'

/** What takes a whole zone, or long: in virtual time. */
const test = suite('a running zone, in simulation')

async function inZone(program: (zone: RunningZone, boot: SimulatedBoot, world: World) => Promise<void>): Promise<void> {
  let fault: unknown
  await simulateZones({ seed: 5 }, async (world) => {
    const boot = await bootIn(world)
    try {
      if (!boot.zone) throw new Error(`It did not boot: ${boot.error?.message}`)
      await program(boot.zone, boot, world)
    } catch (error) {
      fault = error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`) : error
    }
    await boot.zone?.stop()
  })
  if (fault) throw fault
}

async function reasonOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return `answered: ${JSON.stringify(await run())}`
  } catch (error) {
    return error instanceof ZonewrightError ? error.details['reason'] : String(error)
  }
}

/** Good on one link, once; as the owner would make it. */
async function rootToken(zone: RunningZone, { keys, clock, random }: Platform): Promise<string> {
  const key = keys.importPem(new TextDecoder().decode((await zone.files.read(file.ownerKey))!))
  const iat = Math.floor(clock.now() / 1000)
  return signToken(key, {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
}

test('a service greets nobody who brings no token, not even the supervisor of its host', () => inZone(async (zone) => {
  assert.is(await reasonOf(() => zone.get(Service).greet({ greeting: 'Hello' })), 'token/absent')
}))

test('actors that take no token say so, by a reason that is in the table', () => inZone(async (zone, { process }) => {
  const token = await rootToken(zone, process.platform)
  for (const call of [
    () => zone.get(NodeDaemon).services({}, { token }),
    () => zone.get(SystemConfig).get({ key: kv.bootConfig }),
  ]) {
    const reason = await reasonOf(call)
    assert.ok(Object.hasOwn(denialReasons, String(reason)), String(reason))
  }
  assert.is(await reasonOf(() => zone.get(Gateway).address({}, { token })), 'link/takes-no-tokens')
  assert.is(await reasonOf(() => zone.get(NodeDaemon).services({}, { token })), 'token/audience')
  assert.is(zone.list().find(({ name }) => name === BootScheduler.name)?.state, 'stopped')
}))

test('a node daemon follows its config when the token of its watch has died', () => inZone(async (zone, boot) => {
  const { process, logs } = boot
  const { clock } = process.platform
  const stateOf = () => zone.list().find(({ name }) => name === 'service')?.state
  // Between two rounds of the scheduler, which will want it back
  await pause(clock, 31 * 60_000 + 10_000)
  assert.is(stateOf(), 'serving')
  const systemConfig = zone.get(SystemConfig)
  const token = await rootToken(zone, process.platform)
  const key = kv.node(zone.config.host)
  const config = JSON.parse((await systemConfig.get({ key }, { token }))!.value)
  config.services.service.target = 'stopped'
  await systemConfig.set({ key, value: JSON.stringify(config) }, { token })
  await pause(clock, 2_000)
  assert.is(stateOf(), 'stopped')
  const complaints = logs.filter(({ message }) => /expired/.test(message))
  assert.is(complaints.length, 0, complaints.map(({ actor, message }) => `${actor}: ${message}`).join('\n'))
}))

test.run()
