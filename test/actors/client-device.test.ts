/** What a client device may open, judged by the real policy; and that it is a host in no sense. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAdmission, type Admitted } from '../../actors/enrolment/tunnels/admission.ts'
import { portsIn } from '../../actors/enrolment/own-ports.ts'
import type { Enforcer } from '../../actors/enforcement/enforcer.ts'
import { createHttpStreams, type HttpWanted } from '../../actors/enrolment/tunnels/http-streams.ts'
import { createAccess } from '../../actors/rbac/access.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { kv, type ServiceSpec } from '../../actors/records.ts'
import { schedule } from '../../actors/scheduler/schedule.ts'
import { httpHere } from '../../actors/uplink/http.ts'
import { KnownHosts } from '../../boot/known-hosts.ts'
import { limits } from '../../runtime/limits.ts'
import { Denied, Overloaded, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import type { TcpConnection } from '../../runtime/platform/tcp-ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import type { StreamRequest } from '../../transport/tunnel/protocol.ts'
import { documents, ZONE } from './registration-fixture.ts'
import { crypto, testZone } from './system-config-zone.ts'

const zone = testZone()
const self = {
  zone: ZONE, host: 'ood1', actor: 'enrolment', runtimeType: 'kernel-service', incarnation: 1, linkKid: '',
}
const spec = (name: string, more: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], ...more,
})
const user = (name: string, state = 'active') => JSON.stringify({ name, type: 'user', state })

/** By this policy, in a zone with these keys beside what it always has. */
function admission(policy: string, more: Readonly<Record<string, string>> = {}) {
  const access = createAccess()
  void access.replace({ model: '', policy })
  const denials = createDenialLog({ random: systemRandom, clock: zone.clock })
  const kept: Readonly<Record<string, string>> = {
    [kv.user('alice')]: user('alice'),
    [kv.spec('notes')]: JSON.stringify(spec('notes', { http: { port: 80 } })),
    [kv.spec('open')]: JSON.stringify(spec('open', { http: { port: 80, public: true } })), ...more,
  }
  const { authorise } = createAdmission({
    start: { keys: crypto, denials, self }, trust: {} as never, token: () => '',
    serving: async (name) => name === 'open',
    systemConfig: { get: async ({ key }) => (key in kept ? { value: kept[key]!, revision: 1 } as never : null) },
    enforcer: {
      demandOf(...[speaker, operation, path, before]: Parameters<Enforcer['demandOf']>) {
        const decision = access.decide(speaker, operation, path)
        if (!decision.allowed) throw denials.denied([before, ...decision.chain])
      },
    } as Partial<Enforcer> as Enforcer,
  })
  return async (request: StreamRequest, role = 'client-device', name = 'laptop'): Promise<string> => {
    const by = { host: { name, role }, document: { owner: 'alice' } } as unknown as Admitted
    const error: unknown = await authorise(by, request).then(() => undefined, (failed: unknown) => failed)
    return error === undefined ? 'open' : String((error as ZonewrightError).details['reason'])
  }
}
const http = (service = 'notes'): HttpWanted => ({ type: 'http', service })
const link = (protocol: string): StreamRequest =>
  ({ type: 'link', protocol, caller: { host: 'laptop', actor: 'app', incarnation: 1 } })
/** No other hosts. */
const alone = { serving: async () => true, reach: () => Promise.reject(new Unavailable('nowhere')) }
const DEVICE = 'p, device:laptop, stream://notes, write\n'
const OWNER = 'p, alice, stream://notes, write\n'

test('bytes go where the policy allows it to the device and to its owner, who is active, and to what is public',
  async () => {
    assert.is(await admission(DEVICE + OWNER)(http()), 'open')
    assert.is(await admission(DEVICE)(http()), 'rbac/no-rule')
    assert.is(await admission(OWNER)(http()), 'rbac/no-rule')
    assert.is(await admission(DEVICE + OWNER)(http(), 'client-device', 'desk'), 'rbac/no-rule')
    const denying = 'p, device:laptop, stream://notes, write, deny'
    assert.is(await admission(DEVICE + OWNER + denying)(http()), 'rbac/deny-line')
    for (const record of [user('alice', 'suspended'), user('bob')]) {
      assert.is(await admission(DEVICE + OWNER, { [kv.user('alice')]: record })(http()), 'stream/owner')
    }
    assert.is(await admission('')(http('open')), 'open')
    for (const more of [{ kernel: true }, { appid: 'another' }]) {
      const said = JSON.stringify(spec('open', { http: { port: 80, public: true }, ...more }))
      assert.is(await admission('', { [kv.spec('open')]: said })(http('open')), 'rbac/no-rule')
    }
    assert.is(await admission('')(http('constructor')), 'rbac/no-rule')
  })

test('what is public needs a line all the same where it does not serve, and no service is at a port of the zone',
  async () => {
    const idle = { [kv.spec('idle')]: JSON.stringify(spec('idle', { http: { port: 22, public: true } })) }
    assert.is(await admission('', idle)(http('idle')), 'rbac/no-rule')
    const lines = 'p, device:laptop, stream://idle, write\np, alice, stream://idle, write'
    assert.is(await admission(lines, idle)(http('idle')), 'open')
    let connected = 0
    const streams = createHttpStreams({
      start: {
        self, count() {}, log: { info() {}, warn() {}, error() {} },
        transport: {
          tcp: {
            async connect() {
              connected++
              throw new Unavailable('nothing listens')
            },
          },
        } as never,
      },
      token: () => '', ownPorts: () => [22], ...alone, admission: { authorise: async () => {} },
      systemConfig: {
        get: async ({ key }) => ({
          value: JSON.stringify({ name: 'x', hosts: ['ood1'], port: key.includes('idle') ? 22 : 23 }), revision: 1,
        }) as never,
      },
    })
    const by = () => ({ host: { name: 'laptop' } }) as unknown as Admitted
    const code = (name: string): Promise<string> => streams.open(by, http(name), new AbortController().signal)
      .then(() => 'open', (error: ZonewrightError) => error.code)
    assert.equal([await code('idle'), await code('notes'), connected], ['NotFound', 'Unavailable', 1])
    assert.equal(portsIn('80,0,53', { endpoints: ['http://127.0.0.1:2379', 'https://a.example'] }), [80, 53, 2379])
  })

test('a host whose owner is a user that is not active opens nothing by their lines', async () => {
  const judge = (more = {}) => admission(`p, laptop, stream://notes, write\n${OWNER}`, more)(
    { type: 'link', protocol: 'notes', caller: { host: 'laptop', actor: 'app', incarnation: 1 } }, 'node')
  const suspended = { [kv.user('alice')]: user('alice', 'suspended') }
  assert.equal([await judge(), await judge(suspended)], ['open', 'stream/owner'])
})

test('what lines give to a user of the same name, or to its owner, is nothing to a device', async () => {
  assert.is(await admission(`p, laptop, stream://notes, write\n${OWNER}`)(http()), 'rbac/no-rule')
  assert.is(await admission(`g, laptop, admin\n${OWNER}`)(http()), 'rbac/no-rule')
  assert.is(await admission(`g, device:laptop, desks\np, desks, stream://notes, write\n${OWNER}`)(http()), 'open')
})

test('a client device opens links to system-config and verify-hub only, and hosts open no bytes', async () => {
  const judge = admission('p, device:laptop, stream://*, write\np, alice, stream://*, write')
  assert.equal(await Promise.all(['system-config', 'verify-hub', 'vault', 'notes'].map((name) => judge(link(name)))),
    ['open', 'open', 'stream/link', 'stream/link'])
  for (const role of ['node', 'ood']) assert.is(await judge(http(), role), 'stream/http')
  assert.is(await judge({ ...http(), host: 'node2' }, 'node'), 'stream/http', 'a node relays for nobody')
  assert.is(await judge({ ...http(), host: 'node2', port: 22 }), 'open', 'what a device says of it is not heard')
})

test('of an OOD the other one takes what it relays, and no link to what each has of its own', async () => {
  const judge = admission('p, alice, stream://*, write')
  assert.is(await judge({ ...http(), host: 'node2' }, 'ood', 'ood2'), 'open')
  const relayed = (protocol: string): StreamRequest =>
    ({ type: 'link', protocol, host: 'ood1', caller: { host: 'node7', actor: 'app', incarnation: 1 } })
  assert.equal(await Promise.all(['notes', 'system-config', 'vault', 'enrolment'].map((name) =>
    judge(relayed(name), 'ood', 'ood2'))), ['open', 'open', 'link/no-row', 'link/no-row'])
  assert.is(await judge(relayed('notes'), 'node', 'node8'), 'stream/caller', 'a node speaks for no other host')
})

test('bytes go to the host of a service: from a device to any, from another OOD to the one that it names', async () => {
  const asked: unknown[] = []
  let isServing = true
  let placed = { name: 'notes', hosts: ['node2', 'node3'], port: 80, states: { node2: 'lost' } } as object
  const streams = createHttpStreams({
    start: {
      self, count() {}, log: { info() {}, warn() {}, error() {} },
      transport: { tcp: { connect: async () => { throw new Overloaded('here') } } } as never,
    },
    token: () => '', ownPorts: () => [22], admission: { authorise: async () => {} }, serving: async () => isServing,
    systemConfig: { get: async () => ({ value: JSON.stringify(placed), revision: 1 }) as never },
    async reach(...wanted) {
      asked.push(wanted.slice(0, 3))
      throw new Denied('there')
    },
  })
  const open = async (role: string, request: HttpWanted): Promise<string> => {
    const by = () => ({ host: { name: role === 'ood' ? 'ood2' : 'laptop', role } }) as unknown as Admitted
    return streams.open(by, request, new AbortController().signal)
      .then(() => 'open', (error: ZonewrightError) => error.code)
  }
  const wanted = { type: 'http', service: 'notes', port: 80 }
  assert.is(await open('client-device', { ...http(), host: 'node9', port: 22 }), 'Denied')
  const device = { name: 'laptop', role: 'client-device' }
  assert.equal(asked.splice(0), [[wanted, ['node3', 'node2'], device]], 'one that is lost comes last')
  assert.is(await open('ood', { ...http(), host: 'node2' }), 'Denied')
  assert.equal(asked.splice(0), [[wanted, ['node2'], { name: 'ood2', role: 'ood' }]])
  assert.is(await open('ood', { ...http(), host: 'node2', by: ['phone'] }), 'Denied')
  assert.equal(asked.splice(0)[0], [{ ...wanted, by: ['phone'] }, ['node2'], { name: 'ood2', role: 'ood' }])
  assert.is(await open('ood', { ...http(), host: 'node9' }), 'NotFound', 'it is not there')
  placed = { name: 'notes', hosts: ['ood1'], port: 80 }
  assert.is(await open('ood', { ...http(), host: 'ood1' }), 'Overloaded', 'it is here')
  isServing = false
  assert.is(await open('ood', { ...http(), host: 'ood1' }), 'NotFound', 'but is not at work')
  assert.equal(asked, [])
})

/** A node, with a service that is at work and one that is not. */
function node() {
  const made = { connections: 0 }
  const here = httpHere({
    start: {
      self: { ...self, host: 'node2' },
      transport: { tcp: { async connect({ port }: { port: number }) {
        if (port === 81) throw new Unavailable('nothing listens')
        made.connections++
        return { send() {}, end() {}, hold() {}, receive() {}, close() {}, unsent: 0, remoteAddress: '' }
      } } } as never,
    },
    ownPorts: [22], serving: async (name) => name === 'notes',
  })
  const open = (more: object, service = 'notes') =>
    here({ ...http(service), host: 'node2', port: 80, ...more }, new AbortController().signal)
  const code = (more: object, service?: string): Promise<string> =>
    open(more, service).then(() => 'open', (error: ZonewrightError) => error.code)
  return Object.assign(made, { open, code })
}

test('a node leads bytes to a service that is at work there, and to nothing else', async () => {
  const made = node()
  const { open, code } = made
  assert.is((await open({})).granted.host, 'node2')
  for (const more of [{ host: 'node3' }, { host: undefined }, { port: undefined }, { port: 22 }]) {
    assert.is(await code(more), 'NotFound', JSON.stringify(more))
  }
  assert.equal([await code({}, 'other'), made.connections], ['NotFound', 1])
  assert.is(await code({ port: 81 }), 'Unavailable')
  const all = await Promise.all(Array.from({ length: limits.nodeHttpStreams - 1 }, () => open({})))
  assert.is(await code({}), 'Overloaded')
  all[0]!.release()
  assert.is(await code({}), 'open')
})

test('of the streams to programs of a node nobody has more than is left for others', async () => {
  const { open, code } = node()
  const fill = async (by: readonly string[]): Promise<number> => {
    for (let count = 0; ; count++) if (await code({ by }) === 'Overloaded') return count
  }
  const most = limits.nodeHttpStreams
  const laptop = await Promise.all(Array.from({ length: most / 2 }, () => open({ by: ['laptop'] })))
  const error = await open({ by: ['laptop'] }).then(() => undefined, (failed: ZonewrightError) => failed)
  assert.equal([error?.code, error?.details], [
    'Overloaded', { host: 'node2', limit: 'nodeHttpStreams', origin: 'laptop' },
  ])
  // What another OOD passes on is its own, whomever it says that it is for
  const passed = await fill(['ood2', 'x1']) + await fill(['ood2', 'x2'])
  assert.ok(passed > most / 5 && passed <= most / 4, `${passed}`)
  const phone = await fill(['phone'])
  assert.ok(phone >= (most / 2 - passed) / 2, `${phone}`)
  assert.is(await code({ by: ['laptop'] }), 'Overloaded')
  for (const { release } of laptop) release()
  assert.ok(await fill(['laptop']) > most / 4, 'its places are free again')
})

test('a stream of bytes closes when it may not be open any more, and no other one', async () => {
  const refused = new Map<string, Error>()
  const closed: string[] = []
  const connection = (): TcpConnection => ({
    remoteAddress: '', unsent: 0, send() {}, end() {}, hold() {}, receive() {},
    close: (reason) => void closed.push(reason),
  })
  const streams = createHttpStreams({
    start: {
      self, count() {}, log: { info() {}, warn() {}, error() {} },
      transport: { tcp: { connect: async () => connection() } } as never,
    },
    token: () => '', ownPorts: () => [22], ...alone,
    systemConfig: {
      get: async ({ key }) =>
        ({ value: JSON.stringify({ name: key.split('/')[1], hosts: ['ood1'], port: 80 }), revision: 1 }) as never,
    },
    admission: {
      async authorise(_, request) {
        const error = refused.get((request as HttpWanted).service)
        if (error) throw error
      },
    },
  })
  const by = () => ({ host: { name: 'laptop' } }) as unknown as Admitted
  for (const name of ['notes', 'web', 'mail']) await streams.open(by, http(name), new AbortController().signal)
  refused.set('web', new Denied('not any more')).set('mail', new Unavailable('nobody can say now'))
  await streams.recheck()
  assert.equal(closed, ['not any more'])
})

test('a client device is no host: nothing is placed on it, and no link certificate counts by its key', () => {
  const enrolment = crypto.generate(systemRandom)
  const { enrolled, ood } = documents(zone, enrolment)
  const root = { zone: ZONE, root: zone.owner.public.jwk }
  const laptop = enrolled({ name: 'laptop', role: 'client-device' })
  const read = readDeviceBy(crypto, root)
  assert.is(read(laptop)?.role, 'client-device')
  const { devices } = new KnownHosts(crypto, root).read({ [kv.device('ood1')]: ood, [kv.device('laptop')]: laptop })
  assert.equal(devices.map(({ host }) => host), ['ood1'])
  const config = new Map([
    [kv.device('laptop'), laptop], [kv.device('ood1'), ood],
    [kv.spec('notes'), JSON.stringify(spec('notes', { replicas: 2 }))],
  ])
  const derived = schedule(config, read)
  assert.is(derived.get(kv.node('laptop')), undefined)
  assert.equal((JSON.parse(derived.get(kv.info('notes'))!) as { hosts: string[] }).hosts, ['ood1'])
})

test.run()
