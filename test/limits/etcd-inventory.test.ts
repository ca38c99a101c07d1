/** How many certificates that were signed without the vault it takes over at once. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Vault } from '../../actors/vault/protocol.ts'
import { openExtract } from '../../actors/vault/recovery.ts'
import { pems } from '../../boot/etcd/names.ts'
import { up } from '../../boot/up.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { newFolder, pemsIn, platform, removeFolders } from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const text = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')

test('of more than the vault takes at once the rest follows; more at once is refused', async () => {
  const folder = newFolder()
  await pemsIn(folder)
  const { keys, random, clock } = platform
  const secrets = { 'unseal-key': text(folder, 'unseal.key').trim() }
  const sealed = text(folder, pems.etcdSealed)
  const { sign } = await openExtract(sealed, secrets, { zone: 'zone.local', keys, random, clock })
  const key = await keys.certificates.generate('ec-p256', random)
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject: encodeName([{ type: 'CN', value: 'a' }]) }, key))
  const many = await Promise.all(Array.from({ length: limits.unrecordedCertificates + 1 }, async () =>
    ({ role: 'client', pem: (await sign({ mount: 'pki-etcd', role: 'client', csr })).certificate })))
  writeFileSync(join(folder, pems.unrecorded), JSON.stringify({ certificates: many }))
  assert.equal((await pemsIn(folder)).made?.written, [])
  assert.not(existsSync(join(folder, pems.unrecorded)))
  const zone = await up({ platform, folder })
  const vault = zone.get(Vault)
  const record = (certificates: typeof many): Promise<unknown> =>
    vault.recordCertificates({ mount: 'pki-etcd', certificates }).catch((error: ZonewrightError) => error.code)
  try {
    assert.equal(await record(many.slice(1)), { recorded: 0, known: limits.unrecordedCertificates })
    assert.is(await record(many), 'InvalidArgument')
  } finally {
    await zone.stop()
  }
})

test.run()
