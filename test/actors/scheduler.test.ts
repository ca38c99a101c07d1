/** The scheduler that writes what it schedules, in a whole zone in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { askedKey, roundKey } from '../../actors/scheduler/inputs.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { policyKey } from '../../actors/scheduler/schedule.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { ActorDefinition, ActorStart } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { type Change, inLiveZone, type LiveZone } from './live-zone.ts'

const live = suite('a scheduler')

/** Runs `hook` after each dump: what others write then has not been read. */
const afterDump = (hook: () => Promise<void>): Change => (definition) => ({
  ...definition,
  start(start: ActorStart) {
    const client = start.needs['systemConfig'] as unknown as Client<typeof SystemConfig>
    const systemConfig: Pick<Client<typeof SystemConfig>, 'get' | 'dump' | 'execTx' | 'watch' | 'lead' | 'resign'> = {
      get: (args, settings) => client.get(args, settings),
      lead: (args, settings) => client.lead(args, settings),
      resign: (args, settings) => client.resign(args, settings),
      execTx: (args, settings) => client.execTx(args, settings),
      watch: (args, settings) => client.watch(args, settings),
      async dump(args, settings) {
        const answer = await client.dump(args, settings)
        if (args.prefixes.length > 1) await hook()
        return answer
      },
    }
    return definition.start({ ...start, needs: { ...start.needs, systemConfig } as unknown as ActorStart['needs'] })
  },
} as ActorDefinition)

/** Tells of each dump how many keys it brought, and of each change that a watch did. */
const counting = (told: (items: number) => void, changed: () => void): Change => (definition) => ({
  ...definition,
  start(start: ActorStart) {
    const client = start.needs['systemConfig'] as unknown as Client<typeof SystemConfig>
    const systemConfig: Pick<Client<typeof SystemConfig>, 'get' | 'dump' | 'execTx' | 'watch' | 'lead' | 'resign'> = {
      get: (args, settings) => client.get(args, settings),
      lead: (args, settings) => client.lead(args, settings),
      resign: (args, settings) => client.resign(args, settings),
      execTx: (args, settings) => client.execTx(args, settings),
      async *watch(args, settings) {
        for await (const change of client.watch(args, settings)) {
          changed()
          yield change
        }
      },
      async dump(args, settings) {
        const answer = await client.dump(args, settings)
        told(answer.items.length)
        return answer
      },
    }
    return definition.start({ ...start, needs: { ...start.needs, systemConfig } as unknown as ActorStart['needs'] })
  },
} as ActorDefinition)

const rounds = ({ zone }: LiveZone): Promise<{ written: string[] }> =>
  zone.get(Scheduler).round({}, { withinMs: 30_000 })
const complaints = ({ logs }: LiveZone) =>
  logs.filter(({ actor, level }) => actor === 'scheduler' && level !== 'info')
const newUser = { name: 'bo', type: 'user', state: 'active' }

live('does one round at a time: those who ask together all get an answer, and one of them the work', async () => {
  await inLiveZone(async (zone) => {
    await zone.set(kv.user('bo'), newUser)
    const all = await Promise.all(Array.from({ length: 5 }, () => rounds(zone)))
    assert.ok(all.flatMap(({ written }) => written).length <= 1)
    assert.match(await zone.read(policyKey) ?? '', /g, bo, user/)
    assert.is(complaints(zone).length, 0)
  })
})

live('loses no line of the policy that was written while it made its own', async () => {
  let meanwhile: (() => Promise<void>) | undefined
  await inLiveZone(async (zone) => {
    const policy = await zone.read(policyKey)
    meanwhile = async () => {
      meanwhile = undefined
      await zone.set(policyKey, `p, guest, services/*, read\n${policy}`)
    }
    await zone.set(kv.user('bo'), newUser)
    await zone.pause(5_000)
    const after = await zone.read(policyKey) ?? ''
    assert.is(meanwhile, undefined)
    assert.match(after, /^p, guest, services\/\*, read\n/)
    assert.match(after, /g, bo, user/)
  }, { scheduler: afterDump(async () => meanwhile?.()) })
})

live('loses no state of a host that an operator wrote while it placed services there', async () => {
  let meanwhile: (() => Promise<void>) | undefined
  const [host, spec] = ['ood1', {
    name: 'extra',
    appid: 'extra',
    owner: null,
    runtimeType: 'service',
    kernel: false,
    audiences: [],
  }]
  await inLiveZone(async (zone) => {
    meanwhile = async () => {
      meanwhile = undefined
      await zone.setPath(kv.node(host), '/state', 'draining')
    }
    await zone.set(kv.spec('extra'), spec)
    await zone.pause(5_000)
    assert.is(meanwhile, undefined)
    assert.match(await zone.read(kv.node(host)) ?? '', /"state":"draining"/)
  }, { scheduler: afterDump(async () => meanwhile?.()) })
})

live('that another one overtakes reads again, and complains once', async () => {
  let meanwhile: (() => Promise<void>) | undefined
  await inLiveZone(async (zone) => {
    const spec = {
      name: 'extra',
      appid: 'extra',
      owner: null,
      runtimeType: 'service',
      kernel: false,
      audiences: [],
      replicas: 0,
    }
    meanwhile = async () => {
      meanwhile = undefined
      await zone.set('system/scheduler/snapshot', { from: 1 })
    }
    await zone.set(kv.spec('extra'), spec)
    await zone.pause(5_000)
    assert.is(await zone.read('services/extra/info'), '{"name":"extra","hosts":[]}')
    assert.is(complaints(zone).length, 1)
  }, { scheduler: afterDump(async () => meanwhile?.()) })
})

live('sleeps while services write what is none of its input, however much that is', async () => {
  let [rounds, read, changes] = [0, 0, 0]
  await inLiveZone(async (zone) => {
    await zone.pause(limits.schedulerRetryMs)
    const value = 'x'.repeat(500)
    rounds = read = changes = 0
    for (let batch = 0; batch < 3; batch++) {
      await zone.createAll(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) =>
        [`services/extra/instances/h${batch}-${index}`, value])))
    }
    await zone.set('users/bo/apps/notes/settings', {})
    // Of which one is known to be none of it by its place only
    assert.equal([rounds, changes], [0, 1])
    await zone.set(kv.user('bo'), newUser)
    await zone.pause(2_000)
    assert.match(await zone.read(policyKey) ?? '', /g, bo, user/)
    assert.ok(rounds > 0)
    assert.ok(read < 100, `${read} keys were read`)
  }, {
    scheduler: counting((items) => {
      rounds++
      read = Math.max(read, items)
    }, () => void changes++),
  })
})

live('makes one round of what changes together, while what changes alone waits for nothing', async () => {
  let dumps = 0
  await inLiveZone(async (zone) => {
    await zone.pause(5 * limits.schedulerGatherMs)
    await zone.set(kv.user('bo'), newUser)
    await zone.pause(limits.schedulerGatherMs / 2)
    assert.match(await zone.read(policyKey) ?? '', /g, bo, user/)
    dumps = 0
    const [users, apartMs] = [40, limits.schedulerGatherMs / 10]
    for (let index = 0; index < users; index++) {
      await zone.set(kv.user(`bo${index}`), { ...newUser, name: `bo${index}` })
      await zone.pause(apartMs)
    }
    // Two a round, which wakes another by what it writes
    assert.ok(dumps > 2 && dumps < users, `${dumps} dumps`)
    await zone.pause(2 * limits.schedulerGatherMs)
    const policy = await zone.read(policyKey) ?? ''
    for (let index = 0; index < users; index++) assert.match(policy, new RegExp(`g, bo${index}, user`))
  }, { scheduler: counting(() => void dumps++, () => {}) })
})

live('is not stopped by one record that it cannot read', async () => {
  await inLiveZone(async (zone) => {
    await zone.set(kv.spec('broken'), '{')
    await zone.set(kv.user('bo'), newUser)
    await zone.pause(5_000)
    assert.match(await zone.read(policyKey) ?? '', /g, bo, user/)
    assert.ok(zone.logs.some(({ message }) => message.includes('services/broken/spec')))
    assert.is(zone.state('service'), 'serving')
  })
})

live('writes more than one transaction holds in several', async () => {
  let held = false
  await inLiveZone(async (zone) => {
    held = true
    const count = limits.transactionOperations + 100
    for (let from = 0; from < count; from += 600) {
      await zone.createAll(Object.fromEntries(
        Array.from({ length: Math.min(600, count - from) }, (_, index) => {
          const name = `extra-${from + index}`
          return [kv.spec(name), {
            name,
            appid: name,
            owner: null,
            runtimeType: 'service',
            kernel: false,
            audiences: [],
            replicas: 0,
          }]
        }),
      ))
    }
    // One round finds all of them
    held = false
    await zone.pause(20_000)
    const written = await zone.names('services')
    const infos = await Promise.all(['extra-0', `extra-${count - 1}`].map((name) => zone.read(`services/${name}/info`)))
    assert.ok(written.length > count)
    assert.ok(infos.every((info) => info?.endsWith('"hosts":[]}')), infos.join())
  }, { scheduler: afterDump(async () => { if (held) throw new Error('Planted') }) })
})

let broken = false
/** The store says that another host leads. */
const following: Change = (definition) => ({
  ...definition,
  start(start: ActorStart) {
    const client = start.needs['systemConfig'] as unknown as Client<typeof SystemConfig>
    const systemConfig = new Proxy({}, {
      get: (_, name) => (name === 'lead'
        ? async () => ({ leads: false, host: 'ood2', term: 7, ttlMs: limits.leaderLeaseMs })
        : Reflect.get(client, name) as unknown),
    })
    return definition.start({ ...start, needs: { ...start.needs, systemConfig } as unknown as ActorStart['needs'] })
  },
} as ActorDefinition)

live('that follows has the leader do a round, and waits for one that read what was asked, and no other', async () => {
  await inLiveZone(async (zone) => {
    let state = 'asked'
    const params = { host: 'ood1' }
    const token = await zone.root('scheduler')
    const drained = zone.zone.get(Scheduler).krpc({ method: 'drain', params }, { token, withinMs: 30_000 })
      .then(({ result }) => { state = (result as { state: string }).state }, (error: Error) => { state = `${error}` })
    await zone.pause(5_000)
    assert.match(await zone.read(kv.node('ood1')) ?? '', /"state":"draining"/)
    assert.is(state, 'asked')
    assert.is(await zone.read(askedKey), '{"host":"ood1"}')
    await zone.set(roundKey, { from: 1_000_000, asked: 1 })
    await zone.pause(1_000)
    assert.is(state, 'asked', 'a round that began before')
    await zone.set(roundKey, { from: 2, asked: 1_000_000 })
    await drained
    assert.is(state, 'draining')
    const thunk = { method: 'run_thunk', params: {} }
    const settings = { token: await zone.root('scheduler'), withinMs: 60_000 }
    const late = await zone.zone.get(Scheduler).krpc(thunk, settings).catch(({ code }) => code as string)
    assert.is(late, 'NotLeading', 'nobody answers')
  }, { scheduler: following })
})

live('that leads does a round whenever another asks', async () => {
  await inLiveZone(async (zone) => {
    await zone.pause(1_000)
    for (const host of ['ood2', 'ood3']) {
      await zone.set(askedKey, { host })
      await zone.pause(1_000)
      const { asked } = JSON.parse(await zone.read(roundKey) ?? '') as { asked: number }
      assert.is(asked, await zone.revision(askedKey))
    }
  })
})

live('whose rounds fail complains ever more rarely', async () => {
  await inLiveZone(async (zone) => {
    const told = zone.logs.length
    broken = true
    await zone.set(kv.user('bo'), newUser)
    await zone.pause(120_000)
    const complaints = zone.logs.slice(told).filter(({ actor }) => actor === 'scheduler')
    assert.ok(complaints.length > 3 && complaints.length < 30, `${complaints.length} complaints`)
  }, {
    scheduler: afterDump(async () => {
      if (broken) throw new Error('Planted')
    }),
  })
})

live.run()
