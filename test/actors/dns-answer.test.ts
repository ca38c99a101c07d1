/** DNS answers as bytes: what an authoritative server says of its zone, and what it says of everything else. */
import { decode, type Answer, type DecodedPacket } from 'dns-packet'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { answer } from '../../actors/dns/answer.ts'
import { namesOf, type Names } from '../../actors/dns/names.ts'
import { addressOf, isAddress, zoneRecords } from '../../actors/dns/zone.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'

const names: Names = namesOf({
  zone: 'home.example', revision: 7, server: 'ood1',
  hosts: [
    { name: 'ood1', addresses: ['192.0.2.1', '2001:db8::1'] }, { name: 'node1', addresses: ['192.0.2.2'] },
    { name: 'web', addresses: ['192.0.2.3'] }, { name: 'silent', addresses: [] },
    { name: 'many', addresses: Array.from({ length: 100 }, (_, index) => `198.51.100.${index}`) },
  ],
  gateways: ['192.0.2.1'], gatewayPort: 8080, apps: ['web'],
})

const types = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, AXFR: 252, ANY: 255 } as const

interface Asked {
  readonly type?: number
  readonly class?: number
  readonly flags?: number
  readonly counts?: readonly number[]
  readonly edns?: { readonly size: number; readonly version?: number }
  readonly more?: readonly number[]
}

/** By hand: what reads it must not be what wrote it. */
function query(name: string, asked: Asked = {}): Uint8Array {
  const { type = types.A, flags = 0x0100, edns, more = [] } = asked
  const labels = name === '' ? [] : name.split('.')
  const question = [...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0]
  const opt = edns ? [0, 0, types.OPT, edns.size >> 8, edns.size & 255, 0, edns.version ?? 0, 0, 0, 0, 0] : []
  const [questions, answers, authorities, additionals] = asked.counts ?? [1, 0, 0, edns ? 1 : 0]
  const words = [0xbeef, flags, questions!, answers!, authorities!, additionals!]
  const tail = [type >> 8, type & 255, 0, asked.class ?? 1]
  return Uint8Array.from([...words.flatMap((word) => [word >> 8, word & 255]), ...question, ...tail, ...opt, ...more])
}

type Told = DecodedPacket & { rcode: string; flag_aa: boolean; flag_tc: boolean; flag_ra: boolean }
const bytesOf = (message: Uint8Array, by: 'udp' | 'tcp' = 'udp'): Uint8Array | undefined =>
  answer(message, names, by).bytes
function told(message: Uint8Array, by: 'udp' | 'tcp' = 'udp'): Told {
  const bytes = bytesOf(message, by)
  assert.ok(bytes, 'it is answered')
  return decode(Buffer.from(bytes)) as Told
}
const data = ({ answers = [] }: Told): readonly unknown[] => answers.map((each) => (each as { data: unknown }).data)
const ask = (name: string, type: keyof typeof types = 'A'): Told => told(query(name, { type: types[type] }))

test('the zone, its apps and its hosts have addresses, and nothing is asked of others on their behalf', () => {
  const found = ask('home.example')
  assert.equal([found.rcode, found.flag_aa, found.flag_ra, found.id, data(found)],
    ['NOERROR', true, false, 0xbeef, ['192.0.2.1']])
  assert.equal(data(ask('web.home.example')), ['192.0.2.1'], 'an app is where the gateway is')
  assert.equal(data(ask('web.nodes.home.example')), ['192.0.2.3'], 'a host of that name keeps its longer one')
  assert.equal(data(ask('node1.home.example')), ['192.0.2.2'])
  assert.equal(data(ask('ood1.nodes.home.example', 'AAAA')), ['2001:db8::1'])
  assert.equal(data(ask('home.example', 'NS')), ['ood1.nodes.home.example'])
  const { answers: [soa] = [] } = ask('home.example', 'SOA')
  assert.equal((soa as { data: { serial: number; minimum: number } }).data.serial, 7)
})

test('a service is found by SRV, with the addresses of its target beside it', () => {
  const found = ask('_web._tcp.home.example', 'SRV')
  assert.equal(data(found), [{ priority: 0, weight: 0, port: 8080, target: 'web.home.example' }])
  assert.equal((found.additionals ?? []).map((each: Answer) => each.name), ['web.home.example'])
  assert.equal(data(ask('_http._tcp.home.example', 'SRV')).length, 1)
})

test('a name that is not there is told apart from a type that is not there, each with the SOA', () => {
  for (const name of ['nobody.home.example', 'a.b.c.home.example', 'x.web.home.example']) {
    const { rcode, answers, authorities = [] } = ask(name)
    assert.equal([name, rcode, answers?.length, authorities[0]?.type], [name, 'NXDOMAIN', 0, 'SOA'])
  }
  const there = [
    ['home.example', 'AAAA'], ['web.home.example', 'TXT'], ['_tcp.home.example', 'A'], ['nodes.home.example', 'A'],
    ['home.example', 'CNAME'],
  ] as const
  for (const [name, type] of there) {
    const { rcode, answers, authorities = [] } = ask(name, type)
    assert.equal([name, rcode, answers?.length, authorities[0]?.type], [name, 'NOERROR', 0, 'SOA'])
  }
  assert.is(ask('silent.home.example').rcode, 'NXDOMAIN', 'a host that has told nothing has no name yet')
})

test('upper and lower case are one, and come back as they were asked', () => {
  const asked = query('HoMe.ExAmPlE')
  const bytes = bytesOf(asked)!
  assert.equal([...bytes.slice(12, 12 + 14)], [...asked.slice(12, 12 + 14)])
  assert.equal(data(told(asked)), ['192.0.2.1'])
})

test('what is not of this zone, not of this class, or a transfer is refused without a word', () => {
  const others = [
    query('example.com'), query('example'), query(''), query('nothome.example'), query('home.example', { class: 3 }),
    query('home.example', { type: types.AXFR }),
  ]
  for (const message of others) {
    const { rcode, flag_aa: authoritative, answers, authorities, additionals } = told(message)
    assert.equal([rcode, authoritative, answers?.length, authorities?.length, additionals?.length],
      ['REFUSED', false, 0, 0, 0])
  }
})

test('what cannot be read is a format error, and an answer is not answered', () => {
  const good = query('home.example')
  const faults = [
    query('home.example', { counts: [0, 0, 0, 0] }), query('home.example', { counts: [2, 0, 0, 0] }),
    query('home.example', { counts: [1, 1, 0, 0] }), query('home.example', { counts: [1, 0, 1, 0] }),
    query('home.example', { counts: [1, 1, 0, 0], more: [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 9] }),
    query('home.example', { counts: [2, 0, 0, 0], more: [0xc0, 12, 0, 1, 0, 1] }),
    query('home.example', { counts: [1, 0, 0, 1] }), query('home.example', { counts: [1, 0, 0, 65_535] }),
    query('home.example', { more: [0] }), good.slice(0, good.length - 1), good.slice(0, 13),
    query('home.example', { type: types.OPT }),
    query('home.example', { edns: { size: 1_232 }, counts: [1, 0, 0, 2], more: [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] }),
  ]
  for (const message of faults) assert.is(told(message).rcode, 'FORMERR')
  assert.is(told(query('home.example', { flags: 4 << 11 })).rcode, 'NOTIMP')
  assert.is(told(query('home.example', { flags: 5 << 11 })).rcode, 'NOTIMP')
  assert.is(bytesOf(query('home.example', { flags: 0x8000 })), undefined, 'two servers would talk for ever')
  assert.is(bytesOf(good.slice(0, 11)), undefined)
  assert.is(bytesOf(new Uint8Array()), undefined)
  const { rcode, additionals = [] } = told(query('home.example', { edns: { size: 1_232, version: 1 } }))
  const [opt] = additionals as { extendedRcode?: number; ednsVersion?: number }[]
  assert.equal([rcode, opt?.extendedRcode, opt?.ednsVersion], ['NOERROR', 1, 0], 'BADVERS, 16, in two parts')
})

test('by UDP no answer is longer than its sender takes; the rest says so, and TCP has it whole', () => {
  const sizes = [[undefined, 512], [100, 512], [600, 600], [1_232, 1_232], [4_096, 1_232]] as const
  for (const [size, most] of sizes) {
    const asked = query('many.nodes.home.example', size === undefined ? {} : { edns: { size } })
    const bytes = bytesOf(asked)!
    const { flag_tc: cut, answers, rcode } = told(asked)
    assert.equal([bytes.length <= most, cut, answers?.length, rcode], [true, true, 0, 'NOERROR'])
  }
  const whole = told(query('many.nodes.home.example'), 'tcp')
  assert.equal([whole.flag_tc, whole.answers?.length], [false, 100])
})

test('who asks for everything gets one record, and a longer answer than its question at most by a few records', () => {
  const { answers = [] } = ask('many.nodes.home.example', 'ANY')
  assert.equal(answers.map(({ type }) => type), ['HINFO'])
  for (const name of ['home.example', 'nobody.home.example', 'web.home.example']) {
    const asked = query(name, { type: types.ANY })
    assert.ok(bytesOf(asked)!.length < 5 * asked.length, name)
  }
})

test('a label with a dot in it is no name of ours, nor is a name that points elsewhere', () => {
  const inOne = Uint8Array.from([
    ...query('').slice(0, 12), 12, ...new TextEncoder().encode('home.example'), 0, 0, 1, 0, 1,
  ])
  assert.is(told(inOne).rcode, 'REFUSED')
  const app = Uint8Array.from([
    ...query('').slice(0, 12), 8, ...new TextEncoder().encode('web.home'), 7, ...new TextEncoder().encode('example'), 0,
    0, 1, 0, 1,
  ])
  assert.is(told(app).rcode, 'REFUSED')
  for (const name of [[0xc0, 12], [0xc0, 0], [3, 119, 101, 98, 0xc0, 12], [0x40, 1], [0x80, 1], Array(300).fill(1)]) {
    const message = Uint8Array.from([...query('').slice(0, 12), ...name, 0, 1, 0, 1])
    assert.is(told(message).rcode, 'FORMERR')
  }
})

test('whatever comes is answered with few bytes, or not at all, and never throws', () => {
  const random = new SeededRandom('dns bytes')
  const number = (below: number): number => (random.bytes(2)[0]! << 8 | random.bytes(2)[1]!) % below
  const seeds = [
    query('home.example'), query('web.home.example', { edns: { size: 4_096 } }), query('_web._tcp.home.example'),
    query('many.nodes.home.example', { edns: { size: 65_535 }, type: types.ANY }),
  ]
  for (let round = 0; round < 20_000; round++) {
    let message: Uint8Array
    if (round % 4 === 0) message = random.bytes(number(600))
    else {
      message = seeds[round % seeds.length]!.slice()
      for (let change = 0; change <= number(6); change++) message[number(message.length)] = random.bytes(1)[0]!
      if (round % 5 === 0) message = message.slice(0, number(message.length))
      if (round % 7 === 0) message = Uint8Array.from([...message, ...random.bytes(number(64))])
    }
    const bytes = bytesOf(message)
    if (!bytes) continue
    assert.ok(bytes.length <= 1_232)
    assert.equal([bytes[0], bytes[1]], [message[0], message[1]])
    assert.ok((bytes[2]! & 0x80) !== 0)
  }
})

test('names are made of what can be read, and of no host that is not registered', () => {
  const spec = (name: string, more: object): [string, string] => [`services/${name}/spec`, JSON.stringify({
    name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], ...more,
  })]
  const info = (name: string, addresses: string[]): [string, string] => [`devices/${name}/info`, JSON.stringify({
    name, addresses, runtime: 'x', processors: 1, load: 0, memoryBytes: 1, memoryFreeBytes: 1, diskBytes: 1,
    diskFreeBytes: 1, report: 1, incarnation: 1,
  })]
  const invalid: string[] = []
  const found = zoneRecords(new Map([
    ['devices/b/doc', 'x'], ['devices/a/doc', 'x'], info('a', ['192.0.2.1', 'evil.example', '1.2.3']),
    info('stranger', ['192.0.2.9']), ['devices/b/info', 'no JSON'], spec('web', { http: { port: 80 } }),
    spec('batch', {}), spec('core', { kernel: true, http: { port: 80 } }), ['services/broken/spec', '{}'],
    ['services/gateway/info', JSON.stringify({ name: 'gateway', hosts: ['a', 3] })],
  ]), ({ message }) => invalid.push(message))
  assert.equal(found, {
    hosts: [{ name: 'a', addresses: ['192.0.2.1'] }, { name: 'b', addresses: [] }], apps: ['web'], gateways: ['a'],
  })
  assert.is(invalid.length, 2)
})

test('an address is known by its form, and one that means any is none', () => {
  const good = ['127.0.0.1', '255.255.255.255', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', 'fe80::']
  const bad = ['', '1.2.3', '256.1.1.1', '1.2.3.4.', 'a.b.c.d', '1::2::3', '1:2:3:4:5:6:7:8:9', ':::', 'g::1', '1:2:3']
  assert.equal(good.filter((text) => !isAddress(text)), [])
  assert.equal(bad.filter(isAddress), [])
  assert.equal(['localhost', '0.0.0.0', '::', '192.0.2.1', 'zone.example'].map(addressOf),
    [['127.0.0.1'], undefined, undefined, ['192.0.2.1'], undefined])
})

test.run()
