/** Authorities: how they are made, the order of their steps, what is trusted meanwhile, and ten years of it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { told } from '../../actors/vault/pki/authority-record.ts'
import { dueStep, zonePace } from '../../actors/vault/pki/due.ts'
import { readRootSet } from '../../actors/root-set.ts'
import type { Step } from '../../actors/vault/pki/rotation.ts'
import { listPem } from '../../actors/vault/pki/revocation.ts'
import { certificatePem } from '../../actors/vault/pki/authority-record.ts'
import type { Authority } from '../../actors/vault/protocol.ts'
import { NotInVault } from '../../actors/vault/protocol.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { askerAt, DAY, keys, mounted, openssl, sign, START, zoned, ZONE, type Mounted } from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

const test = suite('rotation of authorities')

const all = async ({ pki }: Mounted): Promise<readonly Authority[]> =>
  (await pki.authorities.fresh()).authorities.map((one) => told(pki.mount, one))
const states = async (made: Mounted): Promise<readonly string[]> =>
  (await all(made)).map(({ kind, state }) => `${kind} ${state}`)
const ofKind = async (made: Mounted, kind: 'root' | 'intermediate'): Promise<readonly Authority[]> =>
  (await all(made)).filter((one) => one.kind === kind)
const step = ({ pki }: Mounted, name: Step, id?: string, force?: boolean) => pki.rotation.step(name, id, force)

interface Held { readonly leaf: string; readonly chain: string }
async function held(made: Mounted): Promise<Held> {
  const { der, book } = await sign(made, 'ood', {}, { ttl: 30 * 86_400 }, askerAt('ood1'))
  return { leaf: certificatePem(der), chain: book.chain.join('') }
}

/** OpenSSL, for who trusts these roots, with the revocation lists of now. */
async function judged({ pki, clock }: Mounted, { leaf, chain }: Held, roots: readonly string[]): Promise<string> {
  const lists = await pki.revocation.lists()
  const said = openssl({
    'leaf.pem': leaf, 'chain.pem': chain, 'roots.pem': roots.join(''),
    'crl.pem': lists.map(({ list }) => listPem(list)).join(''),
  }, 'verify', '-x509_strict', '-attime', String(Math.floor(clock.now() / 1_000)), '-crl_check', '-CRLfile', 'crl.pem',
  '-CAfile', 'roots.pem', '-untrusted', 'chain.pem', 'leaf.pem')
  return said.includes('leaf.pem: OK') ? 'OK' : /error \d+ at \d+ depth lookup: ([^\n]*)/.exec(said)?.[1] ?? said
}
const rootsNow = async ({ pki }: Mounted): Promise<readonly string[]> => (await pki.authorities.fresh()).roots

test('a zone has a root of ten years and an intermediate of two that signs, with no other below it', async () => {
  const made = await zoned()
  const [root, intermediate] = await all(made)
  assert.equal([root!.kind, root!.state, root!.signedBy], ['root', 'active', root!.id])
  assert.equal([intermediate!.kind, intermediate!.state, intermediate!.signedBy], ['intermediate', 'active', root!.id])
  assert.is(Math.round((root!.notAfter - START) / DAY), 3_650)
  assert.is(Math.round((intermediate!.notAfter - START) / DAY), 730)
  const { signer } = await made.pki.authorities.fresh()
  assert.equal([signer!.id, signer!.certificate.extensions.ca], [intermediate!.id, { pathLength: 0 }])
  assert.is(await judged(made, await held(made), await rootsNow(made)), 'OK')
  assert.equal(await states(await zoned('pki-etcd')), ['root active'])
})

test('authorities are made once: by a retry, by two at once, and after a restart', async () => {
  const made = mounted()
  await Promise.all([made.pki.rotation.ensure(), made.again().rotation.ensure(), made.again().rotation.ensure()])
  assert.equal(await states(made), ['root active', 'intermediate active'])
  assert.is((await made.store.list('pki/crl/')).entries.length, 2, 'nothing of others is left')
  const first = await all(made)
  await made.pki.rotation.ensure()
  assert.equal(await all({ ...made, pki: made.again() }), first)
})

test('a step out of order is refused, names the step that is due, and changes nothing', async () => {
  const made = await zoned()
  const [root, intermediate] = (await all(made)).map(({ id }) => id) as [string, string]
  const refuses = async (name: Step, id: string | undefined, due: Step): Promise<void> => {
    const before = await all(made)
    const error = await failure(InvalidArgument, () => step(made, name, id))
    assert.is(error.details.next, due, `${name} ${id}: ${error.message}`)
    assert.match(error.message, new RegExp(`the next step is: ${due}$`))
    assert.equal(await all(made), before)
  }
  await refuses('activate', undefined, 'prepare')
  for (const id of [undefined, root, intermediate]) {
    await refuses('taint', id, 'prepare')
    await refuses('revoke', id, id === undefined ? 'prepare' : 'taint')
  }
  await step(made, 'prepare', intermediate)
  const next = (await all(made)).at(-1)!.id
  await refuses('taint', next, 'activate')
  await refuses('revoke', next, 'activate')
  await refuses('taint', intermediate, 'activate')
  await step(made, 'activate', next)
  await refuses('revoke', intermediate, 'taint')
  await refuses('revoke', undefined, 'taint')
  await step(made, 'taint', intermediate)
  await refuses('taint', next, 'prepare')
  await refuses('revoke', next, 'taint')
  await failure(NotInVault, () => step(made, 'taint', 'nobody'))
})

test('each step of an intermediate does what it says, and again it changes nothing', async () => {
  const made = await zoned()
  const { id: old } = (await ofKind(made, 'intermediate'))[0]!
  const before = await held(made)
  const signerOf = async (): Promise<string> => (await made.pki.authorities.fresh()).signer!.id
  const twice = async (name: Step, id: string): Promise<void> => {
    await step(made, name, id)
    const { revision } = await made.pki.authorities.fresh()
    await step(made, name, id)
    assert.is((await made.pki.authorities.fresh()).revision, revision, `${name} again`)
  }
  await twice('prepare', old)
  assert.is(await signerOf(), old)
  const { id: next } = (await ofKind(made, 'intermediate'))[1]!
  await twice('activate', next)
  assert.equal(await states(made), ['root active', 'intermediate active', 'intermediate active'])
  assert.is(await signerOf(), next)
  await twice('taint', old)
  assert.equal(await states(made), ['root active', 'intermediate tainted', 'intermediate active'])
  assert.is(await judged(made, before, await rootsNow(made)), 'OK', 'what a tainted one signed is trusted')
  made.clock.ms += 31 * DAY
  await made.pki.revocation.refresh()
  await twice('revoke', old)
  assert.equal(await states(made), ['root active', 'intermediate revoked', 'intermediate active'])
  assert.is(await judged(made, await held(made), await rootsNow(made)), 'OK')
  for (const name of ['activate', 'taint'] as const) await step(made, name, old)
  const { authorities } = await made.pki.authorities.fresh()
  assert.is(authorities.find(({ id }) => id === old)!.key, undefined, 'of its key nothing is left')
})

test('an authority whose certificates have not ended is revoked only when that is said aloud', async () => {
  const made = await zoned()
  const { id: old } = (await ofKind(made, 'intermediate'))[0]!
  const before = await held(made)
  await step(made, 'prepare', old)
  await step(made, 'activate')
  await step(made, 'taint', old)
  const error = await failure(InvalidArgument, () => step(made, 'revoke', old))
  assert.is(error.details.left, 1)
  assert.is(await judged(made, before, await rootsNow(made)), 'OK')
  await step(made, 'revoke', old, true)
  const said = openssl({
    'leaf.pem': before.leaf, 'chain.pem': before.chain, 'roots.pem': (await rootsNow(made)).join(''),
    'crl.pem': (await made.pki.revocation.lists()).map(({ list }) => listPem(list)).join(''),
  }, 'verify', '-attime', String(Math.floor(made.clock.now() / 1_000)), '-crl_check_all', '-CRLfile', 'crl.pem',
  '-CAfile', 'roots.pem', '-untrusted', 'chain.pem', 'leaf.pem')
  assert.match(said, /certificate revoked|unable to get certificate CRL/)
  assert.match(said, /verification failed/)
})

test('a tainted authority signs no more, also for a process that has not heard of it', async () => {
  const made = await zoned()
  const other = made.again()
  const by = async () => (await sign({ ...made, pki: other }, 'ood', {}, {}, askerAt('ood1'))).authority.id
  const { id: old } = (await ofKind(made, 'intermediate'))[0]!
  assert.is(await by(), old)
  await step(made, 'prepare', old)
  await step(made, 'activate')
  await step(made, 'taint', old)
  assert.not.equal(await by(), old)
})

test('while a root is rotated nobody is cut off: with the old set, with both, with the new one', async () => {
  const made = await zoned()
  const oldRoots = await rootsNow(made)
  const before = await held(made)
  const { id: old } = (await ofKind(made, 'root'))[0]!
  await step(made, 'prepare', old)
  const both = await rootsNow(made)
  assert.is(both.length, 2, 'the next root is told before it signs')
  assert.is((await made.pki.authorities.fresh()).signer!.stored.signedBy, old)
  const { id: next } = (await ofKind(made, 'root'))[1]!
  await step(made, 'activate', next)
  assert.equal(await states(made), ['root active', 'intermediate active', 'root active', 'intermediate active'])
  const after = await held(made)
  assert.is((await made.pki.authorities.fresh()).signer!.stored.signedBy, next)
  for (const [what, certificate] of [['before', before], ['after', after]] as const) {
    for (const roots of [oldRoots, both]) {
      assert.is(await judged(made, certificate, roots), 'OK', `${what} ${roots.length}`)
    }
  }
  await step(made, 'taint', old)
  assert.equal(await states(made), ['root tainted', 'intermediate tainted', 'root active', 'intermediate active'])
  assert.is(await judged(made, before, await rootsNow(made)), 'OK')
  await failure(InvalidArgument, () => step(made, 'revoke', old))
  made.clock.ms += 31 * DAY
  await step(made, 'revoke', old)
  assert.equal(await states(made), ['root revoked', 'intermediate revoked', 'root active', 'intermediate active'])
  const last = await held(made)
  const newRoots = await rootsNow(made)
  await made.pki.revocation.refresh()
  assert.is(newRoots.length, 1)
  assert.is(await judged(made, last, newRoots), 'OK')
  assert.not.equal(await judged(made, last, oldRoots), 'OK', 'nothing is crossed by a root that is revoked')
})

test('the root set is signed by the anchor, has a version for each change, and a new one in time', async () => {
  const made = await zoned()
  const read = async () => {
    const { document, version } = await made.pki.roots()
    const verdict = readRootSet(keys, document, { zone: ZONE, anchor: made.anchor.public.jwk, now: made.clock.now() })
    if (!verdict.accepted) throw new Error(verdict.why)
    assert.is(verdict.set.version, version)
    assert.equal(verdict.set.roots, await rootsNow(made))
    return { document, version, set: verdict.set }
  }
  const first = await read()
  assert.is(first.version, 1)
  assert.is(first.set.notAfter - first.set.iat, 30 * 86_400)
  assert.is((await read()).document, first.document)
  made.clock.ms += 15 * DAY - 1_000
  assert.is((await read()).document, first.document)
  made.clock.ms += 1_000
  const renewed = await read()
  assert.is(renewed.version, 1)
  assert.not.equal(renewed.document, first.document)
  const { id: old } = (await ofKind(made, 'root'))[0]!
  await step(made, 'prepare', old)
  const both = await read()
  assert.equal([both.version, both.set.roots.length], [2, 2])
  await step(made, 'activate')
  assert.is((await read()).version, 2, 'the same roots')
  await step(made, 'taint', old)
  await step(made, 'revoke', old, true)
  const last = await read()
  assert.equal([last.version, last.set.roots.length], [3, 1])

  const options = { zone: ZONE, anchor: made.anchor.public.jwk, now: made.clock.now() }
  const refused: readonly (readonly [string, Parameters<typeof readRootSet>[2], RegExp])[] = [
    [last.document, { ...options, zone: 'other' }, /another zone/],
    [last.document, { ...options, versionMin: 4 }, /newer one is known/],
    [last.document, { ...options, now: options.now + 31 * DAY }, /ended/],
    [last.document, { ...options, anchor: keys.generate(made.pki.ports.random).public.jwk }, /kid/],
    [`${last.document.slice(0, -4)}AAAA`, options, /./],
  ]
  for (const [document, given, why] of refused) {
    const verdict = readRootSet(keys, document, given)
    assert.not(verdict.accepted)
    assert.match(verdict.accepted ? '' : verdict.why, why)
  }
})

test('in twelve years of weeks, with what is due done each week, every certificate is good', async () => {
  // The keys of a simulation, which cost least
  const made = await zoned('pki', { preferred: 'ed25519' })
  const { clock, pki } = made
  let certificate = await held(made)
  let known = await rootsNow(made)
  const seen = new Map<string, number>()
  for (let week = 0; week < 12 * 52; week++) {
    clock.ms += 7 * DAY
    for (let due = dueStep(await all(made), clock.now()); due; due = dueStep(await all(made), clock.now())) {
      try {
        await pki.rotation.step(due.step, due.id)
      } catch (error) {
        // Certificates that have not ended: it is tried again
        if (due.step !== 'revoke') throw error
        break
      }
      seen.set(due.step, (seen.get(due.step) ?? 0) + 1)
    }
    await pki.revocation.refresh()
    // The set is fetched each second week only; a certificate is renewed in each third
    if (week % 2 === 0) known = await rootsNow(made)
    if (week % 3 === 0) certificate = await held(made)
    const { notAfter } = parseCertificate(signerOfDer(certificate))
    assert.ok(notAfter > clock.now(), `week ${week}`)
    if (week % 52 === 0) assert.is(await judged(made, certificate, known), 'OK', `week ${week}`)
  }
  assert.ok((seen.get('prepare') ?? 0) >= 11, JSON.stringify([...seen]))
  assert.ok((seen.get('revoke') ?? 0) >= 10, JSON.stringify([...seen]))
  const roots = await ofKind(made, 'root')
  assert.equal(roots.map(({ state }) => state).slice(-2), ['revoked', 'active'])
})

const signerOfDer = ({ chain }: Held): Uint8Array =>
  Uint8Array.from(Buffer.from(chain.split('-----END')[0]!.replace(/-----.*-----|\s/g, ''), 'base64'))

test('nothing is due before its time, and what was missed while the zone was off is made up', async () => {
  const made = await zoned()
  const [root, intermediate] = await all(made)
  const half = ({ notBefore, notAfter }: Authority): number => notBefore + (notAfter - notBefore) / 2
  const due = async (now: number) => dueStep(await all(made), now)
  assert.is(await due(half(intermediate!) - 1), undefined)
  assert.equal(await due(half(intermediate!)), { step: 'prepare', id: intermediate!.id })
  assert.equal(await due(half(root!)), { step: 'prepare', id: root!.id })
  made.clock.ms = half(root!)
  await step(made, 'prepare', root!.id)
  const next = (await ofKind(made, 'root'))[1]!
  // While the next root waits to be known, the intermediate goes its own way
  assert.equal(await due(made.clock.ms), { step: 'prepare', id: intermediate!.id })
  assert.equal(await due(next.notBefore + zonePace.announceMs), { step: 'activate', id: next.id })
  assert.equal(await due(root!.notAfter - zonePace.announceMs), { step: 'activate', id: next.id })
  made.clock.ms = root!.notAfter + DAY
  for (let turn = 0; turn < 12; turn++) {
    const missed = await due(made.clock.ms)
    if (missed === undefined) break
    await step(made, missed.step, missed.id)
  }
  assert.is(await judged(made, await held(made), await rootsNow(made)), 'OK')
})

test.run()
