/** A zone on a disk that is full, and has room again: in virtual time for hours, and as it really is for seconds. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { exitCodes } from '../boot/errors.ts'
import { up } from '../boot/up.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace } from '../runtime/trace.ts'
import { HOST } from './boot-fixtures/simulated.ts'
import { inZone, is } from './robustness/simulated-zone.ts'
import { rootToken } from './robustness/real-zone.ts'
import { limitedDisk, mountedDisk } from './robustness/small-disk.ts'
import type { Client } from '../runtime/protocol.ts'
import { pause } from './runtime/sim-fixture.ts'

/** More than what a file system may have left of its last page. */
const large = JSON.stringify('x'.repeat(20_000))

/** Creates a key; answers with the code of what was thrown. */
const putting = (systemConfig: Client<typeof SystemConfig>) => (key: string, token: string): Promise<string> =>
  systemConfig.execTx({ actions: { [key]: { action: 'create', value: '{}' } } }, { token })
    .then(() => 'done', (error: unknown) => (error as ZonewrightError).code)

const simulated = suite('a full disk, in simulation')

simulated('a disk that is full for half an hour kills nothing: sessions end, reads go on, and all comes back', () =>
  inZone(60, async ({ world, zone, deaths, rootToken, worked }) => {
    const systemConfig = zone.get(SystemConfig)
    const put = putting(systemConfig)
    const token = await rootToken()
    is(await put('users/before/notes', token), 'done')
    world.setDisk(HOST, 'full')
    is(await put('users/during/notes', token), 'DiskFull')
    is(await put('users/burned/notes', await rootToken()), 'DiskFull')
    is(String((await systemConfig.get({ key: 'users/before/notes' }, { token }))?.value), '{}')
    await pause(world, 30 * 60_000)
    is(deaths.join(), '')
    const down = zone.list().filter(({ name, state }) => name !== 'boot-scheduler' && state !== 'serving')
    assert.is(down.length, 0)
    world.setDisk(HOST, 'well')
    await pause(world, 30_000)
    assert.ok(await worked() < 60_000)
    const after = await rootToken()
    is(String((await systemConfig.get({ key: 'users/before/notes' }, { token: after }))?.value), '{}')
    is(String((await systemConfig.get({ key: 'users/during/notes' }, { token: after }))?.value), 'undefined')
    is(await put('users/during/notes', after), 'done')
    is(deaths.join(), '')
  }))

simulated('a service that has to start while the disk is full tries until there is room', () =>
  inZone(61, async ({ world, zone, worked }) => {
    world.setDisk(HOST, 'full')
    await zone.kill('service')
    await pause(world, 10 * 60_000)
    world.setDisk(HOST, 'well')
    await pause(world, 60_000)
    is(zone.list().find(({ name }) => name === 'service')?.state ?? '', 'serving')
    assert.ok(await worked() < 60_000)
  }))

simulated('a store whose disk fails is opened again by the next incarnation of its actor, with all that was kept', () =>
  inZone(62, async ({ world, zone, deaths, rootToken, worked }) => {
    const systemConfig = zone.get(SystemConfig)
    const put = putting(systemConfig)
    const token = await rootToken()
    is(await put('users/before/notes', token), 'done')
    world.setDisk(HOST, 'broken')
    const outcome = await put('users/during/notes', token)
    assert.ok(['Unavailable', 'Restarted'].includes(outcome), outcome)
    world.setDisk(HOST, 'well')
    await pause(world, 10_000)
    // The vault dies of it as well where something of it is due just then; nobody else, and nobody twice
    const actors = deaths.filter((death) => death.includes('EIO')).map((death) => death.split(':')[0]!).sort()
    assert.ok(['system-config', 'system-config,vault'].includes(actors.join()), deaths.join())
    assert.is(actors.length, deaths.length)
    const again = await rootToken()
    is(String((await systemConfig.get({ key: 'users/before/notes' }, { token: again }))?.value), '{}')
    is(await put('users/after/notes', again), 'done')
    assert.ok(await worked() < 60_000)
  }))

const real = suite('a full disk')
const disk = mountedDisk(64) ?? limitedDisk()

real(`a real zone refuses writes, serves reads, and goes on when there is room, by a ${disk.kind}`, async () => {
  const platform = await openPlatform()
  const folder = join(disk.path, 'zone')
  const trace = createTrace()
  const deaths: string[] = []
  trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died' || state === 'failed') deaths.push(`${actor}: ${reason}`)
  })
  let zone = await up({ platform, folder, trace })
  const create = async (key: string, token: string): Promise<string> =>
    zone.get(SystemConfig).execTx({ actions: { [key]: { action: 'create', value: large } } }, { token })
      .then(() => 'done', (error: unknown) => (error as ZonewrightError).code)
  const put = (name: string, token: string): Promise<string> => create(`users/${name}/notes`, token)
  const read = async (name: string, token: string): Promise<boolean> =>
    (await zone.get(SystemConfig).get({ key: `users/${name}/notes` }, { token }))?.value === large
  const health = async (): Promise<string> => (await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)).text()
  try {
    const token = await rootToken(zone, platform)
    const acknowledged: string[] = []
    for (let number = 0; number < 10; number++) {
      if (await put(`before${number}`, token) === 'done') acknowledged.push(`before${number}`)
    }
    disk.fill()
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, number) => put(`during${number}`, token)))
    assert.equal([...new Set(outcomes)], ['DiskFull'])
    // A new root token is burned by a write
    assert.is(await put('burned', await rootToken(zone, platform)), 'DiskFull')
    assert.ok(await read('before3', token))
    assert.is(await health(), 'ok\n')
    const response = await fetch(`http://127.0.0.1:${zone.address.port}/`)
    assert.is(response.status, 200)
    disk.free()
    assert.is(await put('after', token), 'done')
    await zone.stop()
    zone = await up({ platform, folder, trace })
    const again = await rootToken(zone, platform)
    for (const name of [...acknowledged, 'after']) assert.ok(await read(name, again), name)
    assert.is(acknowledged.length, 10)
    assert.not(await read('during0', again))
    assert.equal(deaths, [])
  } finally {
    disk.free()
    await zone.stop()
  }
})

real(`a zone that is started on a full disk says so, and boots when there is room, by a ${disk.kind}`, async () => {
  const platform = await openPlatform()
  const folder = join(disk.path, 'other')
  disk.fill()
  const refused = await up({ platform, folder }).then(() => 'booted', (error: unknown) => error as ZonewrightError)
  const told = refused as ZonewrightError
  assert.equal([told.code, exitCodes[told.code], typeof told.details['next']], ['DiskFull', 4, 'string'])
  disk.free()
  const zone = await up({ platform, folder })
  assert.not(zone.secondBoot)
  await zone.stop()
})

// First: what real workers leave to the collector springs traps of a simulation
simulated.run()
real.run()
