/** A join that ended between the transaction of the zone and its answer, in a program that starts anew. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hostAlpn } from '../actors/join-protocol.ts'
import { createCertificates } from '../actors/uplink/certificate.ts'
import { openTrust } from '../actors/uplink/trust.ts'
import { hostsPath } from '../actors/enrolment/protocol.ts'
import { Unavailable } from '../runtime/errors.ts'
import type { HttpCall } from '../runtime/platform/ports.ts'
import { createMemoryStore } from '../runtime/store/memory.ts'
import { JoinTokenUsed } from '../boot/errors.ts'
import { whoami } from '../boot/join/join-client.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

let zone: JoiningZone
test.before(async () => { zone = await joiningZone() })
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

test('the host that used the token finishes its join by its device key, and nobody else does', async () => {
  const made = await zone.token('node1')
  const device = platform.keys.generate(platform.random)
  const first = await zone.join(made, { device })
  // The key of that certificate is gone with the process
  const second = await zone.join(made, { device })
  assert.not.equal(second.serial, first.serial)
  assert.is((await whoami(zone.options(made, { device }), second)).serial, second.serial, hostAlpn)
  let failed: unknown
  await zone.join(made).catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinTokenUsed, String(failed))
})

test('an uplink whose answer was lost asks for the same again, and gets the same', async () => {
  const made = await zone.token('node2')
  const device = platform.keys.generate(platform.random)
  const joined = await zone.join(made, { device })
  let lost = 0
  const { transport } = platform
  const start = {
    ...platform, stopping: new AbortController().signal,
    self: { zone: 'zone.local', host: 'node2', actor: 'uplink', runtimeType: 'node', incarnation: 1, linkKid: '' },
    transport: {
      ...transport,
      async request(call: HttpCall) {
        const answer = await transport.request(call)
        if (call.method !== 'POST' || lost++ > 0) return answer
        for await (const _ of answer.body) { /* Read, and thrown away */ }
        throw new Unavailable('The connection broke')
      },
    },
  }
  const trust = await openTrust({
    ...platform, store: createMemoryStore(platform), zone: 'zone.local',
    start: { servers: [], roots: [...joined.roots], anchors: [], rootsVersion: 0 },
  })
  const certificates = createCertificates({ start, device, trust, role: 'node' })
  const server = { hostname: '127.0.0.1', port: zone.port }
  const failed: unknown = await certificates.again(server).catch((error: unknown) => error)
  assert.instance(failed, Unavailable)
  const given = async () => {
    const { hosts } = (await zone.control('GET', hostsPath)).value as { hosts: { host: string; serials: string[] }[] }
    return hosts.find(({ host }) => host === 'node2')!
  }
  const { serials } = await given()
  const { serial } = await certificates.again(server)
  assert.equal([serial, (await given()).serials], [serials.at(-1), serials])
  assert.not.equal((await certificates.again(server)).serial, serial, 'once answered, the next is for another key')
})

test.run()
