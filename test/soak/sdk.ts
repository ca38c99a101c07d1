/** The originals' TypeScript SDK, as it is, at a zone that has just booted: it comes from a folder. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { signRootToken } from '../../boot/client/owner-key.ts'
import { up } from '../../boot/up.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { ZoneClient } from './zone-client.ts'

export const sdkHelp = `sdk FOLDER
    runs the originals' TypeScript SDK (FOLDER/dist/node.mjs) against a zone that has just booted`

const APPID = 'console'

interface Account { readonly user_id: string; readonly session_token: string; readonly refresh_token: string }
interface Value { readonly value: string; readonly version: number }

/** What is used of it. */
interface Sdk {
  initBuckyOS(appid: string, config: object): Promise<void>
  doLogin(username: string, password: string): Promise<Account>
  getVerifyHubClient(): {
    refreshToken(params: { refresh_token: string }): Promise<{ session_token: string; refresh_token: string }>
    verifyToken(params: { session_token: string; appid?: string }): Promise<unknown>
  }
  getSystemConfigClient(): {
    get(key: string): Promise<Value>
    set(key: string, value: string): Promise<number>
    setByJsonPath(key: string, path: string, value: string): Promise<number>
    create(key: string, value: string): Promise<number>
    delete(key: string): Promise<number>
    append(key: string, value: string): Promise<number>
    list(key: string): Promise<string[]>
    execTx(actions: Record<string, object>, mainKey?: [string, number]): Promise<number>
    refreshTrustKeys(): Promise<void>
  }
  getAppSetting(name: string | null): Promise<unknown>
  setAppSetting(name: string | null, value: string): Promise<void>
  logout(): void
}

/** What it does, in order, and what must come of it. */
type Step = readonly [what: string, run: () => Promise<unknown>, wanted: string]

function steps(sdk: Sdk, user: { username: string; password: string }): readonly Step[] {
  let account: Account
  let version = 0
  const mine = `users/${user.username}/sdk`
  const config = () => sdk.getSystemConfigClient()
  const refused = (run: Promise<unknown>): Promise<string> => run.then(() => 'answered', () => 'refused')
  return [
    ['logs in by the hashed form', async () => (account = await sdk.doLogin(user.username, user.password)).user_id,
      user.username],
    ['is refused with a wrong password', () => refused(sdk.doLogin(user.username, 'wrong')), 'refused'],
    ['verifies its session', () =>
      sdk.getVerifyHubClient().verifyToken({ session_token: account.session_token }), 'true'],
    ['verifies it for its app', () =>
      sdk.getVerifyHubClient().verifyToken({ session_token: account.session_token, appid: APPID }), 'true'],
    ['is refused for another app', () =>
      refused(sdk.getVerifyHubClient().verifyToken({ session_token: account.session_token, appid: 'service' })),
    'refused'],
    ['refreshes', async () => {
      const { refresh_token } = account
      const { session_token: next } = await sdk.getVerifyHubClient().refreshToken({ refresh_token })
      return next !== account.session_token
    }, 'true'],
    ['creates', () => config().create(`${mine}/a`, '{"n":1}'), '0'],
    ['creates nothing twice', () => refused(config().create(`${mine}/a`, '{}')), 'refused'],
    ['gets', async () => {
      const found = await config().get(`${mine}/a`)
      version = found.version
      return found.value
    }, '{"n":1}'],
    ['sets', () => config().set(`${mine}/b`, 'two'), '0'],
    ['appends', () => config().append(`${mine}/b`, '+'), '0'],
    ['has appended', async () => (await config().get(`${mine}/b`)).value, 'two+'],
    ['lists', async () => (await config().list(mine)).join(), 'a,b'],
    ['writes in a transaction that compares', () => config().execTx({
      [`${mine}/a`]: { action: 'set_by_path', all_set: { '/m': 2 } }, [`${mine}/c`]: { action: 'create', value: '3' },
    }, [`${mine}/a`, version]), '0'],
    ['is refused when what it compares has changed', () => refused(config().execTx({
      [`${mine}/a`]: { action: 'update', value: '{}' },
    }, [`${mine}/a`, version])), 'refused'],
    ['sets by path', () => config().setByJsonPath(`${mine}/a`, '/k/l', 'true'), '0'],
    ['has all of that', async () => (await config().get(`${mine}/a`)).value, '{"n":1,"m":2,"k":{"l":true}}'],
    ['deletes', () => config().delete(`${mine}/c`), '0'],
    ['does not get what is gone', () => refused(config().get(`${mine}/c`)), 'refused'],
    ['reads nobody\'s secrets', () => refused(config().get('security/verify-hub/key')), 'refused'],
    ['asks for the trust keys', () => config().refreshTrustKeys(), 'undefined'],
    ['writes its settings', async () => {
      await config().set(`services/${APPID}/settings`, '{}')
      await sdk.setAppSetting('look.dark', 'true')
      return JSON.stringify(await sdk.getAppSetting('look'))
    }, '{"dark":true}'],
    ['logs out', async () => sdk.logout(), 'undefined'],
  ]
}

/** @returns how many steps passed and failed */
export async function soakSdk(given: string): Promise<{ passed: number; failed: number }> {
  const sdk = await import(pathToFileURL(resolve(given, 'dist/node.mjs')).href) as Sdk
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-sdk-'))
  const platform = await openPlatform()
  const zone = await up({ platform, folder })
  const url = `http://127.0.0.1:${zone.address.port}/`
  const total = { passed: 0, failed: 0 }
  try {
    const user = (await zone.firstPassword())!
    await allowHashedForm(url, await readFile(join(folder, 'owner.key'), 'utf8'), user.username)
    // What the hashed form is compared with is made when the password itself is shown
    await new ZoneClient(() => url).login(user.username, user.password)
    await sdk.initBuckyOS(APPID, {
      zoneHost: `127.0.0.1:${zone.address.port}`, appId: APPID, defaultProtocol: 'http://', runtimeType: 'Browser',
      systemConfigServiceUrl: `${url}kapi/system_config`, verifyHubServiceUrl: `${url}kapi/verify-hub/`,
    })
    for (const [what, run, wanted] of steps(sdk, user)) {
      const seen = await Promise.resolve().then(run).then(String, (error: unknown) => `failed: ${String(error)}`)
      if (seen === wanted) total.passed++
      else total.failed++
      console.log(`${seen === wanted ? 'ok  ' : 'FAIL'}  ${what}${seen === wanted ? '' : `: ${seen}, not ${wanted}`}`)
    }
  } finally {
    await zone.stop()
    await rm(folder, { recursive: true })
  }
  return total
}

/** `compat_password`, by the owner key. */
async function allowHashedForm(url: string, pem: string, username: string): Promise<void> {
  const token = signRootToken(await openPlatform(), pem, { path: 'owner.key', epoch: 0 })
  const params = { key: `users/${username}/settings`, json_path: '/compat_password', value: 'true' }
  const body = JSON.stringify({ method: 'sys_config_set_by_json_path', params, sys: [1, token] })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}kapi/system_config`, { method: 'POST', headers, body })
  const { error } = await response.json() as { error?: string }
  if (error !== undefined) throw new Error(error)
}
