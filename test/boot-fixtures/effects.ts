import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, importJWK, importPKCS8, type JWK, jwtVerify, SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { bootStep as step } from '../../actors/boot-steps.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { Service } from '../../actors/service/protocol.ts'
import { type BootConfig, SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import type { RunningZone } from '../../boot/up.ts'
import { services } from './promises.ts'
import type { Disk } from './zone-disk.ts'

/** A zone as its owner and its files see it: nothing here comes from the trace. */
export interface Seen {
  readonly zone: RunningZone
  readonly folder: string
  readonly device: { readonly kid: string }
  readonly owner: { readonly kid: string }
  readonly boot: BootConfig
  /** Thumbprint of the one key that `boot/config` names for verify-hub. */
  readonly hubKid: string
  /** The owner as a person, logged in by password. */
  readonly session: string
  readonly password: string
  read(key: string): Promise<string>
}

async function keyOfFile(path: string): Promise<{ kid: string; pem: string }> {
  const pem = await readFile(path, 'utf8')
  return { pem, kid: await calculateJwkThumbprint(createPublicKey(pem).export({ format: 'jwk' }) as JWK) }
}

/** The OOD's self-issued session, made by jose from the device key of the folder. */
export async function deviceSession(folder: string, host: string): Promise<string> {
  const { pem, kid } = await keyOfFile(join(folder, 'device.key'))
  return new SignJWT({
    jti: `test-${Math.random()}`,
    token_use: 'session',
    appid: 'node-daemon',
    runtime_type: 'ood',
    epoch: 0,
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'zw-session+jwt', kid })
    .setIssuer(host).setSubject(host).setAudience(['system-config']).setIssuedAt().setExpirationTime('5m')
    .sign(await importPKCS8(pem, 'EdDSA'))
}

export async function look(zone: RunningZone, folder: string): Promise<Seen> {
  const token = await deviceSession(folder, zone.config.host)
  const read = async (key: string): Promise<string> => {
    const item = await zone.get(SystemConfig).get({ key }, { token })
    assert.ok(item, `there is ${key}`)
    return item.value
  }
  const boot = JSON.parse(await read('boot/config')) as BootConfig
  const [hubKey] = boot.verifyHub
  assert.ok(hubKey && boot.verifyHub.length === 1, 'boot/config names one key of verify-hub')
  const first = await zone.firstPassword()
  assert.ok(first, 'the owner has a first password')
  const { sessionToken } = await zone.get(VerifyHub).loginByPassword({
    username: first.username,
    password: first.password,
    appid: 'service',
    audiences: ['system-config'],
  })
  return {
    zone,
    folder,
    boot,
    read,
    session: sessionToken,
    password: first.password,
    device: await keyOfFile(join(folder, 'device.key')),
    owner: await keyOfFile(join(folder, 'owner.key')),
    hubKid: await calculateJwkThumbprint(hubKey as JWK),
  }
}

const http = async ({ zone }: Seen, path: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(`http://127.0.0.1:${zone.address.port}${path}`)
  return { status: response.status, text: await response.text() }
}

const stateOf = ({ zone }: Seen, actor: string): string | undefined =>
  zone.list().find(({ name }) => name === actor)?.state

/** What each step brought about, asked of the running zone: by honest calls and from outside. */
export const running: Readonly<Record<number, (seen: Seen) => Promise<void>>> = {
  async [step.trustKeyReceived]({ zone, device }) {
    const { keys } = await zone.get(SystemConfig).trust({})
    assert.equal(keys.filter(({ reason }) => reason === 'env'), [{ kid: device.kid, reason: 'env', issuer: 'ood1' }])
  },
  async [step.bootTokenReceived](seen) {
    const actor = seen.zone.list().find(({ name }) => name === 'boot-scheduler')
    assert.equal([actor?.state, actor?.reason], ['stopped', 'asked to stop'], 'it ran, and ran once')
  },
  async [step.firstWrite]({ boot, owner, read }) {
    assert.is(boot.zone, 'zone.local')
    assert.is(await calculateJwkThumbprint(boot.root as JWK), owner.kid, 'its root is the owner key')
    assert.equal(JSON.parse(await read('users/owner/settings')), { name: 'owner', type: 'admin', state: 'active' })
    const { payload } = await jwtVerifyDocument(await read('devices/ood1/doc'), boot.root as JWK)
    assert.is(payload['name'], 'ood1', 'the owner signed the device document')
  },
  async [step.normalPhase]({ zone, device, owner, hubKid }) {
    const { phase, keys } = await zone.get(SystemConfig).trust({})
    assert.is(phase, 'normal')
    assert.equal(keys.map(({ kid, reason }) => `${reason} ${kid}`).sort(), [
      `boot-config.root ${owner.kid}`,
      `boot-config.verify-hub ${hubKid}`,
      `env ${device.kid}`,
    ])
  },
  async [step.deviceSession]({ read }) {
    const config = JSON.parse(await read('nodes/ood1/config')) as {
      host: string
      services: Record<string, { target: string }>
    }
    assert.is(config.host, 'ood1')
    assert.equal(Object.keys(config.services).sort(), [...services, 'verify-hub'].sort())
    assert.ok(Object.values(config.services).every(({ target }) => target === 'running'))
  },
  async [step.verifyHubKeyLoaded]({ session, boot }) {
    const { payload } = await jwtVerify(session, await importJWK(boot.verifyHub[0] as JWK, 'EdDSA'), {
      issuer: 'verify-hub',
      audience: 'service',
      typ: 'zw-session+jwt',
    })
    assert.is(payload.sub, 'owner')
  },
  async [step.verifyHubSession]({ zone, password }) {
    // Only config can tell it which apps there are
    const login = { username: 'owner', password, audiences: [] }
    await assertRejects(zone.get(VerifyHub).loginByPassword({ ...login, appid: 'no-such-app' }), 'Denied')
    assert.ok((await zone.get(VerifyHub).loginByPassword({ ...login, appid: 'service' })).sid)
  },
  async [step.pairReceived]({ zone, session }) {
    const { text, sub } = await zone.get(Service).greet({ greeting: 'Hello' }, { token: session })
    assert.is(text, 'Hello, owner')
    assert.is(sub, 'owner')
  },
  async [step.serviceSession]({ zone }) {
    const { revision } = await zone.get(Scheduler).round({})
    assert.ok(revision >= 1, 'the scheduler reads by its session')
  },
  async [step.gatewayServing](seen) {
    assert.equal(await http(seen, '/healthz'), { status: 200, text: 'ok\n' })
    const page = await http(seen, '/')
    assert.is(page.status, 200)
    assert.ok(page.text.includes('verify-hub'))
    assert.is(stateOf(seen, 'gateway'), 'serving')
  },
}

/** What each step left on the disk, read from the stores of the stopped zone. */
export const onDisk: Readonly<Record<number, (disk: Disk, seen: Seen) => void>> = {
  [step.vaultKeyEnsured](disk, { hubKid }) {
    assert.equal(disk.vaultKids, [hubKid], 'the vault holds the key that boot/config names, and no other')
  },
  [step.firstWrite](disk) {
    assert.is(disk.boot.createRevision, disk.boot.modRevision)
    assert.equal(disk.firstKeys, [
      'boot/config',
      'devices/ood1/doc',
      'nodes/ood1/config',
      'services/cert-manager/info',
      'services/cert-manager/spec',
      'services/console/info',
      'services/console/spec',
      'services/gateway/info',
      'services/gateway/spec',
      'services/scheduler/info',
      'services/scheduler/spec',
      'services/service/info',
      'services/service/spec',
      'services/verify-hub/info',
      'services/verify-hub/spec',
      'system/rbac/policy',
      'users/owner/settings',
    ], 'one transaction made them all')
  },
  [step.vaultKeyRead](disk) {
    assert.equal(disk.grants, ['verify-hub'], 'it was given once, to verify-hub')
  },
  [step.loginTokenReceived](disk) {
    assert.is(disk.logins.length, services.length, 'each login token is burned')
  },
  [step.loginReceived](disk) {
    const logins = disk.sessions.filter(({ sub }) => sub === 'ood1')
    assert.equal(logins.map(({ appid }) => appid).sort(), [...services])
    assert.ok(logins.every(({ state, host }) => state === 'live' && host === 'ood1'))
  },
  [step.refreshReceived](disk) {
    const first = new Map(disk.logins.map(({ sid, issue }) => [sid, issue.refreshJti]))
    const rotated = disk.sessions.filter(({ sid, issue }) => first.has(sid) && first.get(sid) !== issue.refreshJti)
    assert.equal(
      rotated.map(({ appid }) => appid).sort(),
      [...services],
      'each has another refresh token than its first',
    )
  },
}

async function jwtVerifyDocument(text: string, root: JWK) {
  return jwtVerify(text, await importJWK(root, 'EdDSA'), { typ: 'zw-device+jws' })
}

/** uvu prints what an error holds, and not well: only its code and its message are compared. */
export async function assertRejects(work: Promise<unknown>, code: string): Promise<void> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown as { code?: string; message: string })
  if (error?.code !== code) {
    throw new Error(`Expected ${code}: ${error ? `${error.code} ${error.message}` : 'it succeeded'}`)
  }
}
