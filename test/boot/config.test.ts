import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { defaultConfig, readConfig, withSetting } from '../../boot/config.ts'
import { ZonewrightError } from '../../runtime/errors.ts'

const mapping =
  'a mapping of zone, host, owner, http, nodes, processes, labels, capacity, join, telemetry, vault and rk8s keys'

const PATH = '/zone/zone.yaml'

function refusal(text: string): ZonewrightError {
  try {
    readConfig(text, PATH)
  } catch (error) {
    if (error instanceof ZonewrightError) return error
    throw error
  }
  throw new Error(`It was accepted: ${text}`)
}

test('without a file, and from an empty one, everything has a default', () => {
  for (const text of [undefined, '', '# nothing yet\n', '---\n']) {
    const { config, stated } = readConfig(text, PATH)
    assert.equal(config, defaultConfig)
    assert.is(stated.size, 0)
  }
})

test('what the file says is used, and the rest keeps its default', () => {
  const { config, stated } = readConfig('zone: home.example\nhttp: { port: 8080 }\n', PATH)
  assert.equal(config, { ...defaultConfig, zone: 'home.example', http: { ...defaultConfig.http, port: 8080 } })
  assert.equal([...stated].sort(), ['http', 'zone'])
})

const refused: readonly (readonly [what: string, text: string, message: string])[] = [
  ['an unknown key', 'zone: a\nprot: 1\n', '2: unknown key: prot'],
  ['an unknown key inside of another', 'http:\n  prot: 1\n', '2: unknown key: http.prot'],
  ['an empty key', ': 3\n', '1: unknown key: ""'],
  ['the key __proto__', 'zone: a\n__proto__: {}\n', '2: unknown key: __proto__'],
  ['a host with a name of the control plane', 'host: vault\n', "1: host: this name is the system's own: vault"],
  ['an owner called root', 'zone: a\nowner: root\n', "2: owner: this name is the system's own: root"],
  ['an owner called as the host', 'host: alice\nowner: alice\n', '2: owner: the host has the same name: alice'],
  ['a key with control characters', '"\\e[31mred": 1\n', '1: unknown key: "\\u001b[31mred"'],
  ['a list as a key', '? [a, b]\n: c\n', '1: unknown key: [ a, b ]'],
  ['text as a port', 'http:\n  port: "80"\n', '2: http.port: expected a whole number from 0 to 65535, found "80"'],
  ['a port out of range', 'http:\n\n  port: 70000\n',
    '3: http.port: expected a whole number from 0 to 65535, found 70000'],
  ['half a port', 'http: {port: 1.5}\n', '1: http.port: expected a whole number from 0 to 65535, found 1.5'],
  ['a number for a mapping', 'http: 80\n', '1: http: expected a mapping of hostname, port and origins, found 80'],
  ['a zone in capitals', 'zone: A.b\n', '1: zone: expected a DNS name in lower case, found "A.b"'],
  ['a key without a value', 'host:\n', '1: host: expected a name of lower-case letters, digits and -, found nothing'],
  ['a host name with a space', 'http:\n  hostname: a b\n',
    '2: http.hostname: expected a host name or an IP address, found "a b"'],
  ['a path as an origin', 'http:\n  origins: [https://zone.example/]\n',
    '2: http.origins.0: expected an address such as https://zone.example, found "https://zone.example/"'],
  ['a usual port in an origin', 'http:\n  origins: [https://a.example, http://b.example:80]\n',
    '2: http.origins.1: expected an address such as https://zone.example, found "http://b.example:80"'],
  ['an origin alone', 'http:\n  origins: https://zone.example\n',
    '2: http.origins: expected a list of addresses such as https://zone.example, found "https://zone.example"'],
  ['a list', '\n- a\n', `2: the file: expected ${mapping}, found a list`],
  ['a list inside', 'http:\n  - a\n', '1: http: expected a mapping of hostname, port and origins, found a list'],
  ['a word', 'hello\n', `1: the file: expected ${mapping}, found "hello"`],
  ['a duplicate key', 'zone: a\nzone: b\n', '2: duplicate key: zone'],
  ['a duplicate key inside of another', 'http:\n  port: 1\n  port: 2\n', '3: duplicate key: port'],
  ['a tab', 'http:\n\tport: 80\n', '2: a tab indents this line'],
  ['two documents', 'zone: a\n---\nzone: b\n', '2: a second document begins'],
  ['an alias of nothing', '\nzone: *x\n', '2: an alias of nothing: *x'],
  ['an open quote', 'zone: "abc\n', '2: missing closing "quote'],
  ['an open list', 'zone: [a\n', '2: flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['a nested value', 'zone: a: b\n', '1: nested mappings are not allowed in compact mappings'],
]

for (const [what, text, message] of refused) {
  test(`${what} is refused in one line that says where and what`, () => {
    const error = refusal(text)
    assert.is(error.code, 'ConfigInvalid')
    assert.is(error.message, `${PATH}:${message}`)
    assert.type(error.details['next'], 'string')
  })
}

test('aliases that stand for too much are not expanded', () => {
  const list = (of: string): string => `[${Array(20).fill(of).join(', ')}]`
  const text = `zone: *d\n`.replace('*d', list('*c'))
  const bomb = `a: &a ${list('x')}\nb: &b ${list('*a')}\nc: &c ${list('*b')}\n${text}`
  assert.is(refusal(bomb).message, `${PATH}:1: its aliases stand for too much`)
})

test('a long value is cut in the message', () => {
  assert.ok(refusal(`host: ${'x'.repeat(5_000)}\n`).message.length < 200)
})

test('a port of the command line replaces that of the file and nothing else', () => {
  const file = '# mine\nzone: home.example\nhttp:\n  hostname: localhost\n  port: 80\n'
  const { config } = readConfig(withSetting(file, ['http', 'port'], 8080), PATH)
  const http = { ...defaultConfig.http, hostname: 'localhost', port: 8080 }
  assert.equal(config, { ...defaultConfig, zone: 'home.example', http })
  for (const text of ['', '# nothing\n', 'zone: zone.local\n', '{}']) {
    assert.is(readConfig(withSetting(text, ['http', 'port'], 8080), PATH).config.http.port, 8080, text)
  }
})

test.run()
