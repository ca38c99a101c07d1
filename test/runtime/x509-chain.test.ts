/** Which chain of certificates is trusted, and why another is not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { verifyChain, type ChainQuestion, type DistrustReason } from '../../runtime/x509/verify-chain.ts'
import { changed } from './der-tree.ts'
import { authority, day, holder, keys, leaf, listOf, now, second, type Holder } from './x509-fixture.ts'

const root = await authority('root', undefined, { extensions: { ca: { pathLength: 1 } } })
const middle = await authority('middle', root)
const own = await leaf('ood1', middle)

type Asked = Partial<Omit<ChainQuestion, 'leaf' | 'intermediates' | 'roots'>> & {
  readonly leaf?: Holder
  readonly below?: readonly Holder[]
  readonly roots?: readonly Holder[]
}
const certificatesOf = (all: readonly Holder[]) => all.map(({ certificate }) => certificate)
const question = ({ leaf: shown = own, below = [middle], roots = [root], ...changes }: Asked): ChainQuestion => ({
  leaf: shown.certificate, intermediates: certificatesOf(below), roots: certificatesOf(roots), at: now,
  keys: keys.certificates, purpose: 'serverAuth', ...changes,
})

const reasonOf = (asked: Asked): DistrustReason | 'trusted' => {
  try {
    verifyChain(question(asked))
    return 'trusted'
  } catch (error) {
    if (error instanceof ZonewrightError && error.code === 'CertificateDistrusted') {
      return error.details['reason'] as DistrustReason
    }
    throw error
  }
}

test('a leaf below an intermediate, or right below the root, is trusted, and the chain is told', async () => {
  assert.equal(verifyChain(question({})), certificatesOf([own, middle, root]))
  const direct = await leaf('direct', root)
  assert.equal(verifyChain(question({ leaf: direct, below: [] })).length, 2)
  assert.is(reasonOf({ purpose: 'clientAuth' }), 'trusted')
  // What else is sent does no harm
  const stranger = await authority('middle', await authority('root'))
  assert.is(reasonOf({ below: [stranger, own, middle, root] }), 'trusted')
  assert.is(reasonOf({ roots: [stranger, root] }), 'trusted')
})

test('without its root, or without its intermediate, nobody knows its authority', async () => {
  assert.is(reasonOf({ roots: [] }), 'unknown-authority')
  assert.is(reasonOf({ below: [] }), 'unknown-authority')
  const namesake = await authority('root')
  assert.is(reasonOf({ roots: [namesake] }), 'unknown-authority')
})

test('one that another key signed is not trusted by the name of its issuer', async () => {
  // The namesake claims the key identifier of the real one as well
  const id = root.certificate.extensions.subjectKeyId!
  const namesake = await authority('root', undefined, { extensions: { subjectKeyId: id } })
  assert.is(reasonOf({ roots: [namesake] }), 'bad-signature')
  const forged = parseCertificate(changed(own.certificate.raw, [0, 5, 1, 0, 1], (node) => {
    node.bytes = new TextEncoder().encode('ood2')
  }))
  assert.is(reasonOf({ leaf: { ...own, certificate: forged } }), 'bad-signature')
})

test('each of a chain is valid from its first second to its last', async () => {
  const { notBefore, notAfter } = own.certificate
  const cases = [
    [notBefore - 1, 'not-yet-valid'], [notBefore, 'trusted'], [notAfter + second - 1, 'trusted'],
    [notAfter + second, 'expired'],
  ] as const
  for (const [at, expected] of cases) assert.is(reasonOf({ at }), expected)
  for (const [bounds, expected] of [
    [{ notAfter: now - second }, 'expired'], [{ notBefore: now + second }, 'not-yet-valid'],
  ] as const) {
    const late = await authority('late', undefined, bounds)
    assert.is(reasonOf({ leaf: await leaf('x', late), below: [], roots: [late] }), expected)
    const between = await authority('between', root, bounds)
    assert.is(reasonOf({ leaf: await leaf('x', between), below: [between] }), expected)
  }
})

test('what is no authority signs nothing, nor does one that may not sign certificates', async () => {
  assert.is(reasonOf({ leaf: await leaf('below a leaf', own), below: [own, middle] }), 'not-authority')
  const unsaid = await holder('says nothing', middle, {})
  assert.is(reasonOf({ leaf: await leaf('x', unsaid), below: [unsaid, middle] }), 'not-authority')
  const lists = await holder('lists', root, { extensions: { ca: {}, keyUsage: ['keyCertSign', 'cRLSign'] } })
  const usage = [0, 7, 0, 1, -1, 0] as const
  const certificate = parseCertificate(changed(lists.certificate.raw, usage, (node) => {
    node.bytes = Uint8Array.of(1, 0x02)
  }))
  assert.equal(certificate.extensions.keyUsage, ['cRLSign'])
  const roots = [{ ...lists, certificate }]
  assert.is(reasonOf({ leaf: await leaf('x', lists), below: [], roots }), 'not-authority')
})

test('an authority whose key is none is not trusted, and nothing else goes wrong', async () => {
  const certificate = parseCertificate(changed(middle.certificate.raw, [0, 6, 1], (node) => { node.bytes[9]! ^= 1 }))
  assert.is(reasonOf({ below: [{ ...middle, certificate }] }), 'bad-key')
  assert.is(reasonOf({ below: [{ ...middle, certificate }, middle] }), 'trusted')
})

test('an authority that allows none below it has none, and the root bounds the length of all', async () => {
  const second = await authority('second', middle)
  assert.is(reasonOf({ leaf: await leaf('x', second), below: [second, middle] }), 'path-too-long')
  const open = await authority('open', root, { extensions: { ca: {} } })
  const deep = await authority('deep', open, { extensions: { ca: {} } })
  assert.is(reasonOf({ leaf: await leaf('x', deep), below: [deep, open] }), 'path-too-long')
  assert.is(reasonOf({ leaf: await leaf('x', open), below: [open] }), 'trusted')
  // RFC 5280 §4.2.1.9: those that issued themselves (a key that follows another) do not count
  const { subject } = root.certificate
  const renewed = await authority('root', root, { subject, extensions: { ca: {} } })
  const last = await authority('last', renewed)
  assert.is(reasonOf({ leaf: await leaf('x', last), below: [last, renewed] }), 'trusted')
})

test('a chain has at most as many certificates between leaf and root as the limit, and loops end', async () => {
  const top = await authority('top', undefined, { extensions: { ca: {} } })
  const all: Holder[] = []
  for (let depth = 0; depth <= limits.certificateChain; depth++) {
    all.push(await authority(`depth ${depth}`, all.at(-1) ?? top, { extensions: { ca: {} } }))
  }
  const below = (count: number) => all.slice(0, count)
  const deepest = async (count: number) => await leaf('x', all[count - 1]!)
  const most = limits.certificateChain
  assert.is(reasonOf({ leaf: await deepest(most), below: below(most), roots: [top] }), 'trusted')
  assert.is(
    reasonOf({ leaf: await deepest(most + 1), below: below(most + 1).reverse(), roots: [top] }), 'unknown-authority')
  // Two that signed each other
  const extensions = { ca: {} }
  const [a, b] = [await authority('a', undefined, { extensions }), await authority('b', undefined, { extensions })]
  const ab = await authority('a', b, { key: a.key, extensions })
  const ba = await authority('b', a, { key: b.key, extensions })
  assert.is(reasonOf({ leaf: await leaf('x', a), below: [ab, ba, a, b], roots: [top] }), 'unknown-authority')
})

test('a certificate is for the purposes that it names, and an authority for those of its own', async () => {
  const client = await leaf('client', middle, { extensions: { extendedKeyUsage: ['clientAuth'] } })
  assert.is(reasonOf({ leaf: client }), 'wrong-purpose')
  assert.is(reasonOf({ leaf: client, purpose: 'clientAuth' }), 'trusted')
  const forAll = await leaf('any', middle, { extensions: { extendedKeyUsage: ['any'] } })
  assert.is(reasonOf({ leaf: forAll }), 'trusted')
  const unsaid = await holder('unsaid', middle, {})
  assert.is(reasonOf({ leaf: unsaid }), 'trusted')
  const cannotSign = await leaf('agrees', middle, { extensions: { keyUsage: ['keyAgreement'] } })
  assert.is(reasonOf({ leaf: cannotSign }), 'wrong-purpose')
  const clients = await authority('clients', root, { extensions: { extendedKeyUsage: ['clientAuth'] } })
  const below = await leaf('below', clients)
  assert.is(reasonOf({ leaf: below, below: [clients] }), 'wrong-purpose')
  assert.is(reasonOf({ leaf: below, below: [clients], purpose: 'clientAuth' }), 'trusted')
  // An authority is no server, though it can be asked about
  assert.is(reasonOf({ leaf: middle, below: [] }), 'wrong-purpose')
  const signs = await authority('signs', root, { extensions: { keyUsage: ['keyCertSign', 'digitalSignature'] } })
  assert.is(reasonOf({ leaf: signs, below: [] }), 'wrong-purpose')
  const { purpose: _, ...whoever } = question({ leaf: middle, below: [] })
  assert.is(verifyChain(whoever).length, 2)
})

test('an authority of some DNS names issues for no others', async () => {
  const bound = await authority('bound', root, { extensions: { permittedDns: ['zone.example'] } })
  const named = async (...names: readonly string[]) => await leaf('x', bound, {
    extensions: { names: names.map((value) => ({ type: 'dns', value })) },
  })
  for (const name of ['zone.example', 'a.zone.example', '*.zone.example', 'a.b.ZONE.example']) {
    assert.is(reasonOf({ leaf: await named(name), below: [bound] }), 'trusted', name)
  }
  for (const name of ['example', 'azone.example', 'zone.example.org']) {
    assert.is(reasonOf({ leaf: await named('zone.example', name), below: [bound] }), 'name-not-permitted', name)
  }
})

test('whoever has a critical extension that is not understood is not trusted', async () => {
  const critical = parseCertificate(changed(own.certificate.raw, [0, 7, 0, 2, 0], (node) => {
    node.bytes = Uint8Array.of(0x2a, 3, 4)
  }))
  assert.equal(critical.unknownCritical, [])
  const strange = parseCertificate(changed(own.certificate.raw, [0, 7, 0, 1, 0], (node) => {
    node.bytes = Uint8Array.of(0x2a, 3, 4)
  }))
  assert.is(reasonOf({ leaf: { ...own, certificate: strange } }), 'unknown-critical')
})

test('with revocation lists each below the root needs one that is valid and does not name it', async () => {
  const revoked = (who: Holder) => [{ serial: who.certificate.serial, at: now - day, reason: 'keyCompromise' as const }]
  const [ofRoot, ofMiddle] = [listOf(root), listOf(middle)]
  const old = { thisUpdate: now - day, nextUpdate: now - second }
  const cases = [
    [[ofRoot, ofMiddle], 'trusted'],
    [[], 'revocation-unknown'], [[ofRoot], 'revocation-unknown'], [[ofMiddle], 'revocation-unknown'],
    [[ofRoot, listOf(middle, { revoked: revoked(own) })], 'revoked'],
    [[listOf(root, { revoked: revoked(middle) }), ofMiddle], 'revoked'],
    // A serial is one of its issuer
    [[listOf(root, { revoked: revoked(own) }), ofMiddle], 'trusted'],
    [[ofRoot, listOf(middle, old)], 'revocation-unknown'],
    [[ofRoot, listOf(middle, { thisUpdate: now + second })], 'revocation-unknown'],
    // What was revoked stays so, in an old list too
    [[ofRoot, ofMiddle, listOf(middle, { ...old, revoked: revoked(own) })], 'revoked'],
  ] as const
  for (const [index, [revocationLists, expected]] of cases.entries()) {
    assert.is(reasonOf({ revocationLists }), expected, `case ${index}`)
  }
  const namesake = await authority('middle', root, { subject: middle.certificate.subject })
  const forged = listOf(namesake, { authorityKeyId: middle.certificate.extensions.subjectKeyId! })
  assert.is(reasonOf({ revocationLists: [ofRoot, forged] }), 'revocation-unknown')
  const mute = await authority('mute', root, { extensions: { keyUsage: ['keyCertSign'] } })
  assert.is(reasonOf({
    leaf: await leaf('x', mute), below: [mute], revocationLists: [ofRoot, listOf(mute)],
  }), 'revocation-unknown')
})

test('while the key of an authority changes, leaves of both keys are trusted, whichever root a peer has', async () => {
  const subject = encodeName([{ type: 'CN', value: 'one name for both' }])
  const [before, after] = [await authority('', undefined, { subject }), await authority('', undefined, { subject })]
  const cross = await authority('', before, { subject, key: after.key, extensions: { ca: {} } })
  const [old, fresh] = [await leaf('old', before), await leaf('fresh', after)]
  for (const shown of [old, fresh]) assert.is(reasonOf({ leaf: shown, below: [], roots: [before, after] }), 'trusted')
  assert.is(reasonOf({ leaf: fresh, below: [], roots: [before] }), 'unknown-authority')
  assert.is(reasonOf({ leaf: fresh, below: [cross], roots: [before] }), 'trusted')
})

test('the reason says of which certificate, and names it', () => {
  const at = own.certificate.notAfter + day
  assert.throws(() => verifyChain(question({ at })), /CN=ood1,O=zone z1 is not to be trusted/)
})

test.run()
