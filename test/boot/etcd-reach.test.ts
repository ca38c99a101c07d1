/** Each way in which etcd cannot be reached has an error of its own that says what to do. On a real etcd of three. */
import { cpSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readCredentials } from '../../boot/etcd/credentials.ts'
import { pems } from '../../boot/etcd/names.ts'
import { readPair } from '../../boot/etcd/pair.ts'
import { reachEtcd, type Reached, type ReachOptions } from '../../boot/etcd/reach.ts'
import { recoverEtcd } from '../../boot/etcd/recover.ts'
import { exitCodes } from '../../boot/errors.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { probeEtcd, type Probe } from '../../runtime/store/etcd/probe.ts'
import { manualClock } from '../actors/manual-clock.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from '../boot-fixtures/pem-cluster.ts'
import { configText, newFolder, PATH, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

const YEAR = 365 * 86_400_000
const endpoints = await freeEndpoints()
const config = { path: PATH, text: configText({ endpoints }) }
const folder = newFolder()
const { made } = await pemsIn(folder, { config })
const files = made!.files
let cluster: PemCluster
const { etcd: credentials } = await readCredentials(platform, files, made!.config)

test.before(async () => {
  cluster = await startPemCluster(folder, endpoints)
  await reach()
})
test.after(async () => {
  await cluster.end()
  removeFolders()
})

const reach = (options: Partial<ReachOptions> = {}): Promise<Reached> =>
  reachEtcd({ platform, endpoints, credentials, ...options })

async function refusal(options: Partial<ReachOptions>): Promise<ZonewrightError> {
  try {
    await reach({ withinMs: 1_000, ...options })
  } catch (error) {
    return error as ZonewrightError
  }
  throw new Error('It was reached')
}

async function check(options: Partial<ReachOptions>, code: string, message: RegExp, next: RegExp): Promise<void> {
  const error = await refusal(options)
  assert.is(error.code, code, error.message)
  assert.match(error.message, message)
  assert.match(String(error.details['next']), next)
  assert.type(exitCodes[code], 'number')
  assert.not.match(error.message + JSON.stringify(error.details), /PRIVATE/)
}

test('all members answer, started with the flags that gen pems prints', async () => {
  const { clusterId, memberId, answered, absent, shown } = await reach()
  assert.match(clusterId, /^[0-9a-f]{8,16}$/)
  assert.match(memberId, /^[0-9a-f]{8,16}$/)
  assert.equal([...answered].sort(), [...endpoints].sort())
  assert.equal(absent, [])
  assert.is(shown.size, endpoints.length)
})

test('by its address as well, since each member is also known by the name of the zone', async () => {
  const byAddress = endpoints.map((url) => url.replace('localhost', '127.0.0.1'))
  const { answered } = await reach({
    endpoints: byAddress, credentials: { ...credentials, serverName: `etcd.${made!.config.zone}` },
  })
  assert.is(answered.length, endpoints.length)
})

test('with another authority it is not trusted', () =>
  check({ credentials: { ...credentials, authority: readFileSync(join(folder, pems.root), 'utf8') } },
    'EtcdNotTrusted', /a certificate of another authority/, /cert\.pem, private\.key and ca\.pem/))

test('under another name it is not trusted', () =>
  check({ credentials: { ...credentials, serverName: 'other.example' } },
    'EtcdNotTrusted', /a certificate that is not for other\.example/, /xline_config\.endpoints/))

test('a certificate by another authority is refused, and so is none of the right kind', async () => {
  const other = newFolder()
  await pemsIn(other, { config })
  const stranger = {
    ...credentials, certificate: readFileSync(join(other, pems.etcdClient.certificate), 'utf8'),
    key: readFileSync(join(other, pems.etcdClient.key), 'utf8'),
  }
  await check({ credentials: stranger }, 'EtcdRefused', /does not take the certificate/, /its clock may be wrong/)
})

test('a port where nothing listens is tried again for a while, and then it says what was tried', async () => {
  const [closed] = await freeEndpoints(1)
  const waited: string[] = []
  await check({ endpoints: [closed!], onWait: ({ detail }) => void waited.push(detail) },
    'EtcdUnreachable', /was not reached within 1 s: .*ECONNREFUSED/, /more than half of them/)
  assert.ok(waited.length >= 2)
  const plain = [closed!.replace('localhost', 'nowhere.invalid')]
  await check({ endpoints: plain }, 'EtcdUnreachable', /ENOTFOUND|EAI_AGAIN/, /nothing was changed/)
})

test('a member that accepts and says nothing is given up after the time of one attempt', async () => {
  const silent = createServer(() => {})
  await new Promise<void>((settle) => silent.listen(0, '127.0.0.1', settle))
  const { port } = silent.address() as { port: number }
  const clock = manualClock()
  let probe: Probe | undefined
  const probing = probeEtcd({ hostname: '127.0.0.1', port, credentials, withinMs: limits.etcdProbeMs, clock })
    .then((found) => { probe = found })
  await clock.advance(limits.etcdProbeMs - 1)
  assert.is(probe, undefined)
  await clock.advance(1)
  await probing
  const detail = `no answer within ${limits.etcdProbeMs} ms`
  assert.equal(probe, { reached: false, fault: 'unreachable', detail })
  silent.close()
})

test('it is tried for as long as the limit says, less and less often', async () => {
  const clock = manualClock()
  const [closed] = await freeEndpoints(1)
  const pauses: number[] = []
  const counted: Clock = {
    ...clock,
    after(delayMs, task) {
      // Not those of an attempt, which ends by itself
      if (delayMs !== limits.etcdProbeMs) pauses.push(delayMs)
      return clock.after(delayMs, task)
    },
  }
  const began = clock.monotonic()
  let ended: ZonewrightError | undefined
  const trying = reachEtcd({ platform: { ...platform, clock: counted }, endpoints: [closed!], credentials })
    .catch((error: ZonewrightError) => { ended = error })
  for (let seen = 0; !ended; await new Promise((settle) => setTimeout(settle, 1))) {
    if (pauses.length === seen) continue
    await clock.advance(pauses[seen++]!)
  }
  await trying
  assert.is(ended.code, 'EtcdUnreachable')
  assert.ok(clock.monotonic() - began >= limits.etcdReachMs)
  assert.ok(pauses.slice(0, -1).reduce((sum, ms) => sum + ms, 0) < limits.etcdReachMs, 'and no longer')
  const { etcdRetryMsMin, etcdRetryMsMax } = limits
  assert.ok(pauses[0]! >= etcdRetryMsMin / 2 && pauses[0]! <= etcdRetryMsMin, pauses.join(' '))
  assert.ok(Math.max(...pauses) <= etcdRetryMsMax && pauses.at(-1)! >= etcdRetryMsMax / 2, pauses.join(' '))
})

test('a certificate of ours that has ended says so before anything is tried, and where to go', async () => {
  const old = newFolder()
  cpSync(folder, old, { recursive: true })
  const past = { ...platform, clock: { ...platform.clock, now: () => platform.clock.now() - 3 * YEAR } }
  await recoverEtcd({ platform: past, folder: old, config, renew: true, onProgress() {} })
  const oldFiles = await platform.host.openFolder(old)
  const error = await readCredentials(platform, oldFiles, made!.config)
    .then(() => undefined, (thrown: ZonewrightError) => thrown)
  assert.is(error?.code, 'EtcdCertificateExpired')
  assert.match(String(error?.details['next']), /recover etcd/)
  // With a clock that is as wrong, etcd tells
  const { certificate, key } = (await readPair(oldFiles, pems.etcdClient))!
  await check({ credentials: { ...credentials, certificate, key: key! } },
    'EtcdRefused', /does not take the certificate/, /its clock may be wrong/)
})

test('a member whose certificate has ended is named, with what makes another', async () => {
  const old = newFolder()
  const [endpoint] = await freeEndpoints(1)
  const one = { path: PATH, text: configText({ endpoints: [endpoint!] }) }
  const { made: theirs } = await pemsIn(old, { config: one })
  const { etcd } = await readCredentials(platform, theirs!.files, theirs!.config)
  const past = { ...platform, clock: { ...platform.clock, now: () => platform.clock.now() - 3 * YEAR } }
  await recoverEtcd({ platform: past, folder: old, config: one, renew: true, onProgress() {} })
  const expired = await startPemCluster(old, [endpoint!])
  try {
    await check({ endpoints: [endpoint!], credentials: etcd, withinMs: 5_000 },
      'EtcdCertificateExpired', /The certificate of https:\/\/localhost:\d+ has ended/, /recover etcd/)
  } finally {
    await expired.end()
  }
})

test('one member of three may be down; with two down there is no leader, and that is what it says', async () => {
  await cluster.members[0]!.kill()
  const { answered, absent } = await reach()
  assert.is(answered.length, 2)
  assert.equal(absent.map(({ endpoint }) => endpoint), [endpoints[0]])
  await cluster.members[1]!.kill()
  await check({}, 'EtcdUnreachable', /1 of 3 members answer, and they have no leader/, /more than half of them/)
  cluster.members[0]!.start()
  cluster.members[1]!.start()
  assert.ok((await reach()).answered.length >= 1, 'and once two of them agree it is reached')
})

test.run()
