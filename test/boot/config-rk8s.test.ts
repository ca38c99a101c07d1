/** One file may have the keys of rk8s beside ours: what it means, and what is said where it is wrong. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { defaultConfig, readConfig } from '../../boot/config.ts'
import { ZonewrightError } from '../../runtime/errors.ts'

const PATH = '/etc/rks/config.yaml'

/** As the reference documents it, with every key that rk8s reads. */
const theirs = `addr: "192.168.73.128:50051"
xline_config:
  endpoints:
    - "https://172.20.0.3:2379"
    - "https://172.20.0.4:2379"
    - "https://172.20.0.5:2379"
  prefix: "/coreos.com/network"
  username: "someone"
  password: "not to be told"
  subnet_lease_renew_margin: 60
network_config:
  Network: "10.1.0.0/16"
  SubnetMin: "10.1.1.0"
  SubnetMax: "10.1.254.0"
  SubnetLen: 24
  ServiceCIDR: "10.96.0.0/16"
  ServiceSubnetLen: 24
tls_config:
  enable: true
  vault_folder: "./backend"
  keep_dangerous_files: true
dns_config:
  Port: 5300
`

function refusal(text: string): ZonewrightError {
  try {
    readConfig(text, PATH)
  } catch (error) {
    if (error instanceof ZonewrightError) return error
    throw error
  }
  throw new Error(`It was accepted: ${text}`)
}

test('a config.yaml of rk8s is accepted as it is, and what nothing here uses is named', () => {
  const { config, unused } = readConfig(theirs, PATH)
  assert.equal(config, {
    ...defaultConfig,
    addr: '192.168.73.128:50051',
    etcd: {
      endpoints: ['https://172.20.0.3:2379', 'https://172.20.0.4:2379', 'https://172.20.0.5:2379'],
      prefix: '/coreos.com/network',
    },
    tls: { enable: true, vaultFolder: './backend', keepDangerousFiles: true },
    dns: { port: 5300 },
  })
  assert.equal(unused, [
    'xline_config.username', 'xline_config.password', 'xline_config.subnet_lease_renew_margin', 'network_config',
  ])
})

test('without tls_config the stores stay in the folder, and dangerous files are those that rk8s removes', () => {
  const { config, unused } = readConfig('xline_config: { endpoints: ["http://127.0.0.1:2379"] }\n', PATH)
  assert.equal(config.tls, { enable: false, vaultFolder: undefined, keepDangerousFiles: false })
  assert.equal(config.etcd, { endpoints: ['http://127.0.0.1:2379'], prefix: '/zonewright' })
  assert.equal(unused, [])
})

test('ours and theirs stand beside each other', () => {
  const { config } = readConfig(`zone: home.example\nvault: { port: 8200 }\n${theirs}`, PATH)
  assert.is(config.zone, 'home.example')
  assert.equal(config.vault, { hostname: '127.0.0.1', port: 8200 })
  assert.is(config.addr, '192.168.73.128:50051')
})

const https = 'tls_config: { enable: true }\n'
const endpoints = (...list: readonly string[]): string => `xline_config:\n  endpoints:\n${
  list.map((each) => `    - ${each}\n`).join('')}`

const refused: readonly (readonly [what: string, text: string, message: string])[] = [
  ['an endpoint without a port', endpoints('https://a:1', 'https://etcd1'),
    '4: xline_config.endpoints.1: expected an address such as https://etcd1.example:2379, found "https://etcd1"'],
  ['an endpoint with a path', endpoints('https://etcd1:2379/v3'),
    '3: xline_config.endpoints.0: expected an address such as https://etcd1.example:2379, '
      + 'found "https://etcd1:2379/v3"'],
  ['an endpoint without a scheme', endpoints('etcd1:2379'),
    '3: xline_config.endpoints.0: expected an address such as https://etcd1.example:2379, found "etcd1:2379"'],
  ['a port beyond the last', endpoints('https://etcd1:70000'),
    '3: xline_config.endpoints.0: expected an address such as https://etcd1.example:2379, found https://etcd1:70000'],
  ['a member that is there twice', endpoints('https://a:1', 'https://b:1', 'https://a:1'),
    '5: xline_config.endpoints.2: it is there twice: https://a:1'],
  ['no endpoints at all', 'xline_config:\n  endpoints: []\n',
    '2: xline_config.endpoints: expected a list of 1 to 32 addresses such as https://etcd1.example:2379, '
      + 'found a list'],
  ['an xline_config without endpoints', 'addr: a:1\nxline_config:\n  prefix: /a\n',
    '2: xline_config.endpoints: expected a list of 1 to 32 addresses such as https://etcd1.example:2379, '
      + 'found nothing'],
  ['plain HTTP with TLS', `${https}${endpoints('https://a:1', 'http://b:1')}`,
    '5: xline_config.endpoints.1: with tls_config.enable it has to be https://, found http://b:1'],
  ['a prefix that ends with a slash', `${endpoints('https://a:1')}  prefix: /a/\n`,
    '4: xline_config.prefix: expected a path such as /zones/home, of letters, digits, dot, underscore and hyphen, '
      + 'found "/a/"'],
  ['text for a switch', 'tls_config: { enable: "yes" }\n', '1: tls_config.enable: expected true or false, found "yes"'],
  ['an address without a port', 'addr: 10.0.0.1\n',
    '1: addr: expected an address and a port, such as 192.168.1.10:50051, found "10.0.0.1"'],
  ...['0.0.0.0:1', '[::]:1', '[0:0::0]:1', '[::ffff:0.0.0.0]:1'].map((addr) => [
    `every address of this host, as ${addr}`, `${https}addr: '${addr}'\n`,
    `2: addr: no other host can connect to ${addr}, and it is told to all of them`,
  ] as const),
  ['a DNS port of 0', 'dns_config: { Port: 0 }\n',
    '1: dns_config.Port: expected a whole number from 1 to 65535, found 0'],
  ['dns_config without its port', 'dns_config: {}\n',
    '1: dns_config.Port: expected a whole number from 1 to 65535, found nothing'],
  ['a key of rk8s in another spelling', 'tls_config:\n  enabled: true\n', '2: unknown key: tls_config.enabled'],
  ['a network of numbers', 'network_config:\n  Network: 10\n', '2: network_config.Network: expected text, found 10'],
  ['a password that is a number, which is not shown', `${endpoints('https://a:1')}  password: 1234\n`,
    '4: xline_config.password: expected text, found something else'],
]

for (const [what, text, message] of refused) {
  test(`${what} is refused in one line that says where and what`, () => {
    const error = refusal(text)
    assert.is(error.code, 'ConfigInvalid')
    assert.is(error.message, `${PATH}:${message}`)
    assert.type(error.details['next'], 'string')
  })
}

test.run()
