/** Certificates, requests and lists that were cut, changed or made up: refused by name, or not signed; never else. */
import { suite, test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument } from '../../runtime/errors.ts'
import type { CertificateKeys, CertificateKeyType } from '../../runtime/platform/certificate-keys.ts'
import { createKeys } from '../../runtime/sim/keys.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList } from '../../runtime/x509/crl.ts'
import { parseRequest, signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { newSerial } from '../../runtime/x509/serial.ts'
import { allNodes, bytesOf, treeOf } from './der-tree.ts'
import { authority, day, keys, leaf, leafExtensions, listOf, now, random } from './x509-fixture.ts'

interface Specimen {
  readonly what: string
  readonly der: Uint8Array
  /** Reads it and checks who signed it. @throws InvalidArgument */
  readonly accepts: (der: Uint8Array) => boolean
}

/** With most of what may stand in each of them. */
async function specimens(keys: CertificateKeys, type: CertificateKeyType): Promise<readonly Specimen[]> {
  const key = () => keys.generate(type, random)
  const root = await authority('root', undefined, { key: await key() })
  const middle = await authority('middle', root, { key: await key(), extensions: { permittedDns: ['localhost'] } })
  const own = await leaf('ood1', root, {
    key: await key(), notAfter: now + 9_999 * day, extensions: { crlUrls: ['http://a.example/'] },
  })
  const subject = encodeName([{ type: 'C', value: 'DE' }, { type: 'O', value: 'Zoë' }, { type: 'CN', value: 'x' }])
  const revoked = (['keyCompromise', undefined] as const).map((reason) =>
    ({ serial: newSerial(random), at: now, ...(reason ? { reason } : {}) }))
  const ofRoot = (der: Uint8Array): boolean => parseCertificate(der).verify(root.key.public)
  return [
    { what: 'leaf', der: own.certificate.raw, accepts: ofRoot },
    { what: 'authority', der: middle.certificate.raw, accepts: ofRoot },
    {
      what: 'request', der: signRequest({ subject, names: leafExtensions.names! }, own.key),
      accepts: (der) => parseRequest(der).verify(keys).type === type,
    },
    {
      what: 'revocation list', der: listOf(root, { revoked }).raw,
      accepts: (der) => parseRevocationList(der).verify(root.key.public),
    },
  ]
}

const isInvalid = (error: unknown): boolean => error instanceof InvalidArgument

/** False also for what is refused as it should be; all other errors come through. */
function isAccepted({ accepts }: Specimen, der: Uint8Array): boolean {
  try {
    return accepts(der)
  } catch (error) {
    if (error instanceof InvalidArgument) return false
    throw error
  }
}

const demandRefused = (specimen: Specimen, der: Uint8Array, how: string): void => {
  if (isAccepted(specimen, der)) throw new Error(`${specimen.what} is accepted: ${how}`)
}

const cheap = (await createKeys('cheap')).certificates
const kinds = [
  // Signatures of a simulation cost little, so that as many changes as there are can be tried
  {
    name: 'of a simulation', all: await specimens(cheap, 'ed25519'), changes: [1, 2, 4, 8, 16, 32, 64, 128, 255],
    rounds: 3_000,
  },
  ...await Promise.all((['ec-p256', 'rsa-2048', 'ed25519'] as const).map(async (type) =>
    ({ name: type, all: await specimens(keys.certificates, type), changes: [1], rounds: 300 }))),
]

for (const { name, all, changes, rounds } of kinds) {
  const hostile = suite(`${name}:`)

  hostile('what nobody touched is accepted', () => {
    for (const specimen of all) assert.ok(specimen.accepts(specimen.der), specimen.what)
  })

  hostile('every beginning of it, and everything with something behind it, is refused', () => {
    for (const specimen of all) {
      for (let length = 0; length < specimen.der.length; length++) {
        assert.throws(() => specimen.accepts(specimen.der.slice(0, length)), isInvalid)
      }
      for (const behind of [[0], [0x30, 0], [...specimen.der]]) {
        assert.throws(() => specimen.accepts(Uint8Array.from([...specimen.der, ...behind])), /more than belongs/)
      }
    }
  })

  hostile('with any one byte changed it is refused, or nobody signed it', () => {
    for (const specimen of all) {
      for (let at = 0; at < specimen.der.length; at++) {
        for (const change of changes) {
          const other = specimen.der.slice()
          other[at]! ^= change
          demandRefused(specimen, other, `byte ${at}, ${change}`)
        }
      }
    }
  })

  hostile('with values left out, doubled, exchanged, nested or made up it is refused, or nobody signed it', () => {
    const draw = (most: number): number => (random.bytes(1)[0]! * 256 + random.bytes(1)[0]!) % most
    for (const specimen of all) {
      for (let round = 0; round < rounds; round++) {
        const tree = treeOf(specimen.der)
        const nodes = allNodes(tree)
        const [node, other] = [nodes[draw(nodes.length)]!, nodes[draw(nodes.length)]!]
        const children = node.children ?? []
        const at = children.length > 0 ? draw(children.length) : 0
        switch (draw(7)) {
          case 0: children.splice(at, 1); break
          case 1: if (children[at]) children.splice(at, 0, children[at]); break
          case 2: children.push(...children.splice(at, 1)); break
          case 3: node.tag = [2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 48, 49, 128, 160, 163][draw(15)]!; break
          case 4: delete node.children; node.bytes = random.bytes(draw(40)); break
          case 5: node.bytes = other.bytes; delete node.children; break
          default: Object.assign(node, { tag: 0x30, children: [{ ...node }] })
        }
        const changed = bytesOf(tree)
        if (Buffer.compare(changed, specimen.der) !== 0) demandRefused(specimen, changed, `round ${round}`)
      }
    }
  })

  hostile.run()
}

const readers = [parseCertificate, parseRequest, parseRevocationList]
const isRefused = (der: Uint8Array): void => {
  for (const read of readers) assert.throws(() => read(der), isInvalid)
}

test('random bytes are refused, also when they begin as they should', () => {
  for (let round = 0; round < 3_000; round++) {
    const bytes = random.bytes(round % 300)
    isRefused(bytes)
    if (bytes.length > 4) bytes.set([0x30, 0x82, (bytes.length - 4) >> 8, (bytes.length - 4) & 0xff])
    isRefused(bytes)
  }
})

test('a nest of values, a length beyond the end and a length without end are refused at once', () => {
  const started = Date.now()
  const length = 60_000
  for (const tag of [0x30, 0x31, 0xa0, 0x24]) {
    // Each holds the next; from the inside, so that lengths are right
    const nest: number[] = []
    for (let size = 0; size < length;) {
      const header = size < 0x80 ? [tag, size] : size < 0x100 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 0xff]
      nest.push(...header.reverse())
      size = nest.length
    }
    isRefused(Uint8Array.from(nest.reverse()))
    isRefused(new Uint8Array(length).fill(tag))
  }
  const lengths = [
    [0x80], [0x84, 0xff, 0xff, 0xff, 0xff], [0x85, 1, 0, 0, 0, 0], [0xff], [0x89, ...new Array<number>(9).fill(1)],
  ]
  for (const bytes of lengths) {
    isRefused(Uint8Array.from([0x30, ...bytes, 0x30, 0x80, 0, 0, 0, 0]))
    isRefused(Uint8Array.from([0x30, 0x7f, 0x30, ...bytes, ...new Array<number>(200).fill(0x30)]))
  }
  assert.ok(Date.now() - started < 2_000)
})

test('a PEM that is none is refused: no block, several, no end, no base64, or another spelling of it', async () => {
  const { certificate: { raw } } = await authority('root')
  const pem = encodePem('CERTIFICATE', raw)
  assert.equal(decodePem(`Certificate:\n    Data: ---\n${pem.replaceAll('\n', '\r\n')}\n`, 'CERTIFICATE'), raw)
  const broken = [
    '', 'no PEM', pem + pem, pem.replace('-----END', ''), pem.replace('\nM', '\n*'), pem.replace('\nM', '\n'),
    pem.replace(/=*\n-----END/, '====\n-----END'), pem.replaceAll('CERTIFICATE', 'X509 CRL'),
    pem.replace('\nM', '\n-M--'),
    '-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n',
  ]
  for (const text of broken) {
    assert.throws(() => decodePem(text, 'CERTIFICATE'), isInvalid, text.slice(0, 80))
  }
})

test.run()
