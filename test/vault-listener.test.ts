/** The vault's listener by TLS: judged by OpenSSL, with the list of what was revoked as the vault serves it. */
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startVaultAlone } from '../boot/vault-alone.ts'
import { Vault, VaultListener } from '../actors/vault/protocol.ts'
import { initialise, platform, startVault, type OpenVault } from './vault-http-fixture.ts'

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** As a program that runs beside it would: both have to go on. */
function openssl(args: readonly string[]): Promise<string> {
  const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => void (output += String(chunk)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

interface ByTls extends OpenVault {
  /** Files of the root, and of the revocation list as it was last fetched. */
  readonly root: string
  readonly roots: string
  ask2(method: string, path: string, token?: string): Promise<{ status: number; text: string }>
  fetchList(): Promise<string>
  sClient(list: string, ...more: readonly string[]): Promise<string>
}

async function withTls(use: (vault: ByTls) => Promise<void>): Promise<void> {
  const vault = await startVault({ tls: 'auto' })
  try {
    const opened = await initialise(vault)
    await vault.get(Vault).ensureAuthorities({})
    const [authority] = (await vault.get(Vault).authorities({ mount: 'pki' })).filter(({ kind }) => kind === 'root')
    while (!(await vault.get(VaultListener).address({})).tls) await pause(20)
    const ca = authority!.pem
    const roots = join(vault.dir, 'roots.pem')
    await writeFile(roots, ca)
    const { port } = vault
    const ask2 = (method: string, path: string, token?: string) => new Promise<{ status: number; text: string }>(
      (resolve, reject) => {
        const headers = token === undefined ? {} : { 'x-vault-token': token }
        const to = { host: '127.0.0.1', servername: 'localhost', port, ca, agent: false }
        const sent = request({ ...to, method, path, headers },
          (answer) => {
            let text = ''
            answer.setEncoding('utf8').on('data', (chunk) => void (text += chunk))
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
          })
        sent.on('error', reject).end()
      })
    const fetchList = async () => {
      const file = join(vault.dir, 'list.pem')
      await writeFile(file, (await ask2('GET', '/v1/pki/crl/pem')).text)
      return file
    }
    const sClient = (list: string, ...more: readonly string[]) => openssl([
      's_client', '-connect', `127.0.0.1:${port}`, '-CAfile', roots, '-CRL', list, '-crl_check', '-verify_return_error',
      '-brief', ...more,
    ])
    await use({ ...vault, ...opened, roots, ask2, fetchList, sClient })
  } finally {
    await vault.stop()
  }
}

test('once there is an authority it speaks TLS on the same port, and OpenSSL accepts it with its list', () =>
  withTls(async ({ ask, ask2, fetchList, sClient, root, get }) => {
    assert.is((await ask2('GET', '/v1/sys/health')).status, 200)
    assert.is((await ask2('GET', '/v1/auth/token/lookup-self', root)).status, 200)
    assert.is((await ask2('LIST', '/v1/auth/token/accessors', root)).status, 200)
    const list = await fetchList()
    const accepted = await sClient(list, '-verify_hostname', 'localhost')
    assert.match(accepted, /Verification: OK/)
    assert.match(accepted, /Verified peername: localhost/)
    assert.match(await sClient(list, '-verify_ip', '127.0.0.1'), /Verification: OK/)
    assert.match(await sClient(list, '-verify_hostname', 'other.test'), /hostname mismatch/i)
    const plain = await ask('GET', '/v1/sys/health').catch((error: { code?: string }) => error)
    assert.is((plain as { code?: string }).code, 'Unavailable')
    const { serial } = await get(VaultListener).address({})
    assert.match((await ask2('GET', `/v1/pki/cert/${serial}`)).text, /BEGIN CERTIFICATE/)
  }))

test('when its certificate was revoked OpenSSL refuses it, by the list that it serves itself', () =>
  withTls(async ({ ask2, fetchList, sClient, root, get, port, roots }) => {
    const before = await fetchList()
    assert.match(await sClient(before), /Verification: OK/)
    const { serial } = await get(VaultListener).address({})
    const ca = await readFile(roots, 'utf8')
    const status = await new Promise((resolve, reject) => {
      const sent = request({
        host: '127.0.0.1', servername: 'localhost', port, method: 'POST', path: '/v1/pki/revoke', ca, agent: false,
        headers: { 'x-vault-token': root },
      }, (answer) => resolve(answer.resume().statusCode))
      sent.on('error', reject).end(JSON.stringify({ serial_number: serial }))
    })
    assert.is(status, 200)
    assert.match(await sClient(await fetchList()), /certificate revoked/)
    assert.is((await ask2('GET', '/v1/sys/health')).status, 200)
  }))

test('without TLS nothing listens on more than loopback', async () => {
  const vault = await startVault({ tls: 'auto' })
  try {
    const fault = await startVaultAlone({
      platform, folder: join(vault.dir, 'other'), http: { hostname: '0.0.0.0', port: 0, tls: 'off' },
    }).catch((error: Error) => error)
    assert.match((fault as Error).message, /loopback only/)
  } finally {
    await vault.stop()
  }
})

test('a connection that is open goes on over a new certificate', async () => {
  const { serveHttp } = platform.transport
  const made = await Promise.all([1, 2].map(selfSigned))
  const server = await serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 100, requestMsMax: 5_000, tls: made[0]!,
  }, async () => ({ status: 200, headers: {}, body: 'here' }))
  const where = ['s_client', '-connect', `127.0.0.1:${server.port}`]
  const shown = async () => /CN ?= ?(here\d)/.exec(await openssl(where))?.[1]
  const socket = await new Promise<TLSSocket>((resolve) => {
    const opened = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false }, () => resolve(opened))
  })
  const ask = () => new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(String(chunk)))
    socket.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n')
  })
  assert.match(await ask(), /200/)
  assert.is(await shown(), 'here1')
  server.renew!(made[1]!)
  assert.is(await shown(), 'here2')
  assert.match(await ask(), /200/)
  socket.destroy()
  await server.close(100)
})

async function selfSigned(number: number): Promise<{ certificate: string; key: string }> {
  const text = await openssl([
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=here${number}`,
    '-days', '2', '-keyout', '-', '-out', '-',
  ])
  const block = (label: string) => new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----\n`).exec(text)![0]
  return { certificate: block('CERTIFICATE'), key: block('PRIVATE KEY') }
}

test.run()
