/** The vault by the command line: one that runs by itself, made, opened, rekeyed, sealed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  newFolder, objectOf, removeFolders, start, zonewright, type Ended, type Started,
} from './boot-fixtures/command-line.ts'

const cwd = newFolder()
let server: Started
let address = ''

const run = (words: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  start([...zonewright, 'vault', ...words], { cwd, env: { VAULT_ADDR: address, ...env } }).ended
const json = async (...words: readonly string[]): Promise<Record<string, unknown>> => {
  const ended = await run([...words, '--json'])
  assert.is(ended.exitCode, 0, ended.stderr)
  return objectOf(ended)
}

test.before(async () => {
  server = start([...zonewright, 'vault', 'serve', '--dir', 'v', '--port', '0', '--json'], { cwd })
  address = (await server.printed(/"address":"([^"]+)"/))[1]!
})
test.after(async () => {
  server.signal('SIGINT')
  assert.is((await server.ended).exitCode, 0)
  removeFolders()
})

test('a vault is made, opened, rekeyed and sealed, and its state is the exit code', async () => {
  const before = await run(['status'])
  assert.equal([before.exitCode, /initialised +no/.test(before.stdout)], [10, true])
  const made = await json('init', '--shares', '3', '--threshold', '2')
  const shares = made['keys_base64'] as string[]
  const [shareFile, tokenFile, few] = [join(cwd, 'shares'), join(cwd, 'token'), join(cwd, 'few')] as const
  writeFileSync(shareFile, `${shares[0]}\n${shares[2]}\n`)
  writeFileSync(tokenFile, `${made['root_token']}\n`)
  writeFileSync(few, shares[1]!)
  const short = await run(['unseal', '--share-file', few])
  assert.equal([short.exitCode, /too few shares/.test(short.stderr)], [2, true])
  assert.match(short.stdout, /1 of 2 shares/)
  assert.is((await json('unseal', '--reset'))['progress'], 0)
  assert.is((await json('unseal', '--share-file', shareFile))['sealed'], false)
  assert.is((await run(['status'])).exitCode, 0)
  assert.equal(await json('operator', 'rotate', '--token-file', tokenFile), { term: 2 })
  const rekeyed = await json('operator', 'rekey', '--shares', '2', '--threshold', '2', '--share-file', shareFile)
  writeFileSync(shareFile, (rekeyed['keys_base64'] as string[]).join('\n'))
  const root = await json('operator', 'generate-root', '--share-file', shareFile)
  assert.match(String(root['root_token']), /^hvs\./)
  const refused = await run(['seal'], { VAULT_TOKEN: 'hvs.nobody' })
  assert.equal([refused.exitCode, /permission denied/.test(refused.stderr)], [14, true])
  assert.is((await run(['seal'], { VAULT_TOKEN: String(root['root_token']) })).exitCode, 0)
  const sealed = await run(['operator', 'rotate', '--token-file', tokenFile])
  assert.equal([sealed.exitCode, /Vault is sealed/.test(sealed.stderr)], [10, true])
})

test('what cannot be is said, and what to do: addresses, files, and a folder in use', async () => {
  const cases = [
    [['status', '--address', 'http://vault.example:8200'], 2, /Without TLS/],
    [['status', '--address', 'ftp://127.0.0.1'], 2, /not the address of a vault/],
    [['status', '--address', 'http://127.0.0.1:1'], 24, /No answer/],
    [['seal', '--token-file', 'none'], 2, /cannot be read/], [['unseal'], 2, /no terminal/],
    [['serve', '--dir', 'v'], 5, /Another process/], [['serve', '--tls-key', 'x'], 2, /belong together/],
    [['serve', '--dir', 'w', '--hostname', '0.0.0.0', '--port', '0'], 25, /loopback only/],
  ] as const
  for (const [words, code, told] of cases) {
    const ended = await run(words)
    const { exitCode, stderr } = ended
    assert.equal([exitCode, told.test(stderr)], [code, true], `${words.join(' ')}: ${exitCode} ${stderr}`)
  }
})

test('the folder has no token in clear', () => {
  const token = readFileSync(join(cwd, 'token'), 'utf8').trim()
  const files = readdirSync(join(cwd, 'v'), { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
  assert.ok(files.length > 2)
  for (const { parentPath, name } of files) {
    assert.not.ok(readFileSync(join(parentPath, name), 'latin1').includes(token), name)
  }
})

test.run()
