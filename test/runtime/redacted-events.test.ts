/** What an actor was given as a secret does not leave its worker, by whatever it says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { actor, type ActorDefinition } from '../../runtime/actor.ts'
import { createActorHost } from '../../runtime/actor-host.ts'
import { call, object, protocol, string } from '../../runtime/protocol.ts'
import type { WorkerEvent } from '../../runtime/worker.ts'
import { simulateWith } from './sim-fixture.ts'

const Clerk = protocol('clerk', { who: call(object({}), string()) })

const eventsOf = async (tell: ActorDefinition['start'], secrets: Record<string, string>): Promise<string> => {
  const events: WorkerEvent[] = []
  await simulateWith(async (world) => {
    const { platform } = world.startProcess('machine')
    const key = platform.keys.generate(platform.random.fork('clerk'))
    const host = createActorHost({
      definition: actor(Clerk, {}, tell as never) as unknown as ActorDefinition, platform, key,
      emit: (event) => void events.push(event),
      start: {
        zone: 'zone.test', host: 'ood1', actor: 'clerk', runtimeType: 'service', incarnation: 1, module: '',
        devices: [], kernelActors: [], kernelRuntimeTypes: [], spans: false,
      },
    })
    await host.run({ env: {}, secrets })
  })
  return JSON.stringify(events)
}

const handlers = { who: () => 'clerk' } as never

test('a secret that was given is not in a log, whatever it looks like', async () => {
  const secret = 'plain words of no shape'
  const said = await eventsOf((start) => {
    start.log.info(`it is ${secret}`, { also: secret })
    start.step('boot', 1, { of: secret })
    return handlers
  }, { phrase: secret })
  assert.ok(said.includes('it is [redacted]'))
  assert.not.ok(said.includes(secret))
})

test('what looks like a token is not in a log, though nobody said that it is a secret', async () => {
  const token = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl'
  const said = await eventsOf((start) => {
    start.log.warn(`refused: ${token}`)
    return handlers
  }, {})
  assert.ok(said.includes('refused: [redacted]'))
  assert.not.ok(said.includes('eyJzdWIi'))
})

test.run()
