/** Where a runtime does not tell the other end that a worker has died, the supervisor does: its links close then. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import { createActorHost } from '../../runtime/actor-host.ts'
import { Restarted, type ZonewrightError } from '../../runtime/errors.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { establish } from '../../runtime/link/handshake.ts'
import { call, object, protocol, string } from '../../runtime/protocol.ts'
import type { Introduction } from '../../runtime/worker.ts'
import { pause, simulateWith } from './sim-fixture.ts'

const Clerk = protocol('clerk', { who: call(object({}), string()) })
const clerk = actor(Clerk, {}, () => ({ who: () => 'clerk' })) as unknown as ActorDefinition

test('the links of a caller that has died close; those of others, and of its next incarnation, do not', async () => {
  await simulateWith(async (world) => {
    const { platform } = world.startProcess('machine')
    const { clock, keys, random } = platform
    const device = keys.generate(random.fork('device'))
    const key = keys.generate(random.fork('clerk'))
    const exp = Math.floor(clock.now() / 1000) + 600
    const certify = (name: string, incarnation: number, of = key): string => signLinkCertificate(device, {
      zone: 'zone.test', host: 'ood1', actor: name, runtimeType: 'service', key: of.public.jwk, incarnation, exp,
    })
    const host = createActorHost({
      definition: clerk, platform, key, emit: () => {},
      start: {
        zone: 'zone.test', host: 'ood1', actor: 'clerk', runtimeType: 'service', incarnation: 1, module: '',
        devices: [{ host: 'ood1', role: 'ood', jwk: device.public.jwk }], kernelActors: [], kernelRuntimeTypes: [],
        spans: false,
      },
    })
    await host.run({ env: {}, secrets: {} })
    const closed = new Map<string, ZonewrightError>()
    const link = async (name: string, incarnation: number): Promise<void> => {
      const own = keys.generate(random.fork(`${name} ${incarnation}`))
      const [end, other] = platform.channelPair()
      const peer: Introduction['peer'] = { host: 'ood1', actor: name, incarnation }
      const served = host.introduce({
        role: 'responder', protocol: 'clerk', minimum: 'mac', certificate: certify('clerk', 1), peer,
      }, other)
      const opened = await establish(platform.openChannel(end), {
        role: 'initiator', expect: { host: 'ood1', actor: 'clerk', incarnation: 1 }, minimum: 'mac', clock, keys,
        random: random.fork(`link ${name} ${incarnation}`),
        self: {
          zone: 'zone.test', host: 'ood1', actor: name, runtimeType: 'service', incarnation, key: own,
          certificate: certify(name, incarnation, own),
        },
        verifyCertificate: (text) => verifyLinkCertificate(text, {
          keys, zone: 'zone.test', nowMs: clock.now(), allows: () => true,
          device: () => ({ role: 'ood', key: device.public }),
        }),
      })
      opened.receive(() => {}, (error) => void closed.set(`${name} ${incarnation}`, error))
      await served
    }
    await link('desk', 1)
    await link('desk', 2)
    await link('other', 1)
    host.release({ host: 'ood1', actor: 'desk', incarnation: 1 })
    await pause(platform, 1_000)
    assert.equal([...closed.keys()], ['desk 1'])
    assert.instance(closed.get('desk 1'), Restarted)
  })
})

test.run()
