/** A program: boots the zone of a folder and certifies, 64 calls in flight, until it is killed. Prints each serial. */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { Vault } from '../../actors/vault/protocol.ts'
import { up } from '../../boot/up.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'

const IN_FLIGHT = 64

const [folder] = process.argv.slice(2) as [string]
const platform = await openPlatform()
const zone = await up({ platform, folder })
const vault = zone.get(Vault)
await vault.ensureAuthorities({})
const key = await platform.keys.certificates.generate('ec-p256', platform.random)
const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject: encodeName([]) }, key))
const signer = async (): Promise<void> => {
  for (;;) {
    const { serial } = await vault.signCertificate({ mount: 'pki', role: 'ood', csr })
    // At once: a pipe keeps it when the signer is killed
    writeSync(1, `${serial}\n`)
  }
}
writeSync(1, 'signing\n')
await Promise.all(Array.from({ length: IN_FLIGHT }, signer))
