/** A control plane that is not good, or gone, is left for the next one: by the real uplink and listener. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DiskFull, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { pause } from '../../runtime/within.ts'
import { signCertificate } from '../../runtime/x509/certificate.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { newSerial } from '../../runtime/x509/serial.ts'
import { revokeCertificate } from '../boot-fixtures/dialled.ts'
import { eventually } from '../boot-fixtures/joined-hosts.ts'
import { platform } from '../boot-fixtures/joining.ts'
import { begin, end, listener, trustOf, uplink, warnings, zone } from '../boot-fixtures/uplinks.ts'

const { clock, keys, random } = platform

test.before(begin)
test.after(end)

test('a certificate that the control plane made for itself is not its next one', async () => {
  const { tunnels, server, certificate } = await listener()
  const connection = await uplink(server.port)
  const key = await keys.certificates.generate(keys.certificates.preferred, random)
  const name = encodeName([{ type: 'CN', value: 'ood1' }])
  const self = signCertificate({
    serial: newSerial(random), issuer: name, subject: name, notBefore: clock.now() - 60_000,
    notAfter: clock.now() + 3_600_000, spki: key.public.spki,
    extensions: {
      keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth'],
      names: [{ type: 'uri', value: 'spiffe://zone.local/ood/ood1' }],
    },
  }, key)
  warnings.length = 0
  tunnels.renew({ ...certificate, certificate: encodePem('CERTIFICATE', self), key: key.exportPem() })
  await eventually('it is refused', () => warnings.some((one) => /does not take our next.*is not good/.test(one)))
  connection.close()
  await server.close(100)
})

test('a control plane that is revoked is left for the next one as soon as a host is told', async () => {
  const [first, second] = [await listener(true), await listener(true)]
  await revokeCertificate(zone, first.certificate.serial)
  const states: { readonly state: string; readonly at: number }[] = []
  const trust = await trustOf()
  const { takeRevocations } = trust
  trust.takeRevocations = async (document) => {
    // Roots are told before it, after which the tunnel is judged as well
    await pause(clock, 200)
    await takeRevocations(document)
    throw new DiskFull('It is told, and cannot be kept')
  }
  const connection = await uplink(first.server.port, undefined, {
    trust, ports: [second.server.port], onChange: ({ state }) => void states.push({ state, at: clock.monotonic() }),
  })
  await eventually('it is at the next', () => connection.state().state === 'connected'
    && connection.state().server.endsWith(`:${second.server.port}`))
  const begun = states.findIndex(({ state }) => state === 'connected')
  assert.ok(begun >= 0, 'it was connected to the first: nobody had told it')
  assert.ok(states[begun + 1]!.at - states[begun]!.at < limits.uplinkRecheckMs, 'no timer has seen that')
  connection.close()
  await Promise.all([first.server.close(100), second.server.close(100)])
})

test('a live control plane is judged again from time to time', async () => {
  const { server } = await listener()
  const trust = await trustOf()
  const connection = await uplink(server.port, undefined, { trust })
  let isGood = true
  const { oodOf } = trust
  trust.oodOf = (...shown) => {
    if (!isGood) throw new Unavailable('no more')
    return oodOf(...shown)
  }
  const { tunnels } = connection.state()
  isGood = false
  await eventually('it is closed', () => connection.state().state !== 'connected', limits.uplinkRecheckMs + 1_500)
  isGood = true
  await eventually('it is back', () => connection.state().tunnels > tunnels)
  connection.close()
  await server.close(100)
})

test('a renewal that is not answered does not hold up the next server', async () => {
  const [first, second] = [await listener(), await listener()]
  let given: AbortSignal | undefined
  const connection = await uplink(first.server.port, 4_000, {
    ports: [second.server.port],
    next: (_, __, signal) => {
      given = signal
      return new Promise(() => {})
    },
  })
  await eventually('it renews', () => given !== undefined, 20_000)
  first.tunnels.close()
  await eventually('it is at the next', () => connection.state().tunnels === 2, 3_000)
  assert.ok(given!.aborted)
  connection.close()
  await Promise.all([first.server.close(100), second.server.close(100)])
})

test.run()
