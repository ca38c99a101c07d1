/** When an authority takes its next step, and what is warned of: decisions, without a vault. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  dueStep, nextUrgencyAt, share, urgencyOf, type Authority, type Due, type Told,
} from '../../actors/cert-manager/due.ts'
import { createWarnings } from '../../actors/cert-manager/warnings.ts'
import { survey, type CertificateRecord } from '../../actors/cert-manager/inventory.ts'
import { limits } from '../../runtime/limits.ts'

const DAY = 86_400_000
const YEAR = 365 * DAY
const heard = limits.rootsHeardMs

const authority = (id: string, given: Partial<Authority> = {}): Authority => ({
  mount: 'pki', id, kind: 'root', state: 'active', subject: `CN=${id}`, serial: '01', notBefore: 0, notAfter: 10 * YEAR,
  pem: '', signedBy: id, ...given,
})

interface Given {
  readonly told?: Readonly<Record<string, Told>>
  readonly ends?: Readonly<Record<string, number>>
  readonly now?: number
}
const due = (authorities: readonly Authority[], { told = {}, ends = {}, now = 0 }: Given = {}): Due | undefined =>
  dueStep({ authorities, told: new Map(Object.entries(told)), lastEnds: (id) => ends[id] ?? 0, now })

test('an authority is replaced at half of its life, long before anybody is warned', () => {
  assert.equal(due([authority('a')]), { step: 'prepare', id: 'a', at: 5 * YEAR })
  const young = authority('i', { kind: 'intermediate', notAfter: 2 * YEAR, signedBy: 'a' })
  assert.equal(due([authority('a'), young]), { step: 'prepare', id: 'i', at: YEAR })
  assert.ok(share.replaced < 1 - share.warned)
})

test('the next one signs when everybody can have heard of it, and not while nobody was told', () => {
  const heard = limits.rootsHeardMs
  const pair = [authority('a'), authority('b', { state: 'next', notBefore: 5 * YEAR, notAfter: 15 * YEAR })]
  const at = (told: Given['told']) => due(pair, { ...(told ? { told } : {}), now: 5 * YEAR })
  assert.equal(at({ b: { state: 'next', since: 5 * YEAR } }), { step: 'activate', id: 'b', at: 5 * YEAR + heard })
  const late = { step: 'activate', id: 'b', at: 10 * YEAR - heard }
  assert.equal(at(undefined), late, 'without word of it only the end of the old one hurries')
  assert.equal(at({ b: { state: 'active', since: 0 } }), late, 'what was told of another state is no word of this one')
})

test('the old one signs no more when everybody can have heard of the new one, and one step waits for another', () => {
  const pair = [authority('a'), authority('b', { notBefore: 5 * YEAR, notAfter: 15 * YEAR })]
  const told = { a: { state: 'active', since: 0 }, b: { state: 'active', since: 6 * YEAR } } as const
  assert.equal(due(pair, { told }), { step: 'taint', id: 'a', at: 6 * YEAR + heard })
  assert.equal(due(pair)?.step, 'prepare', 'nobody was told: the new one is replaced in its time, and no other step')
})

test('an old one goes when all that it, and what it signed below it, has signed has ended', () => {
  const old = authority('a', { state: 'tainted' })
  const below = authority('i', { kind: 'intermediate', state: 'tainted', signedBy: 'a', notAfter: 7 * YEAR })
  const newer = authority('b', { notBefore: 5 * YEAR, notAfter: 15 * YEAR })
  const told = {
    a: { state: 'tainted', since: 6 * YEAR }, i: { state: 'tainted', since: 6 * YEAR },
    b: { state: 'active', since: 1 },
  } as const
  const all = [old, below, newer]
  assert.equal(due(all, { told }), { step: 'revoke', id: 'a', at: 6 * YEAR + heard })
  assert.equal(due([old, newer], { told, ends: { a: 8 * YEAR } }), { step: 'revoke', id: 'a', at: 8 * YEAR })
  assert.equal(due(all, { told, ends: { i: 8 * YEAR } }), { step: 'revoke', id: 'a', at: 8 * YEAR })
})

test('an authority that has ended is followed at once, since nobody is left who trusts it', () => {
  const pair = [authority('a'), authority('b', { state: 'next', notBefore: 9 * YEAR, notAfter: 19 * YEAR })]
  assert.ok(due(pair, { told: { b: { state: 'next', since: 12 * YEAR } }, now: 12 * YEAR })!.at <= 12 * YEAR)
  assert.equal(due([authority('r', { state: 'revoked' })]), undefined)
  assert.equal(due([]), undefined)
})

test('what ends is due at a third of its life, urgent at a tenth, and each is known beforehand', () => {
  const life = { notBefore: 0, notAfter: 300 }
  const at = [0, 200, 201, 270, 271, 299, 300].map((now) => urgencyOf(life, now))
  assert.equal(at, ['good', 'good', 'due', 'due', 'urgent', 'urgent', 'ended'])
  for (let now = 0; now < 300;) {
    const next = nextUrgencyAt(life, now)!
    assert.ok(next > now && urgencyOf(life, next) !== urgencyOf(life, now), `${now} to ${next}`)
    now = next
  }
  assert.is(nextUrgencyAt(life, 400), undefined)
})

const record = (serial: string, given: Partial<CertificateRecord> = {}): CertificateRecord => ({
  serial, role: 'service', subject: 'CN=web', names: ['web'], authority: 'a', holder: 'web@ood1', notBefore: 0,
  notAfter: 300, ...given,
})

/** A vault that tells these, page by page, by serial. */
const vaultOf = (records: readonly CertificateRecord[], pageMax: number = limits.certificatePage) => {
  let pages = 0
  return {
    get pages() { return pages },
    async certificates({ after = '', limit = pageMax }: { after?: string | undefined; limit?: number | undefined }) {
      pages++
      const rest = records.filter(({ serial }) => serial > after).slice(0, Math.min(limit, pageMax))
      return { certificates: [...rest], more: (rest.at(-1)?.serial ?? '') < (records.at(-1)?.serial ?? '') }
    },
  }
}

test('a survey counts all, and warns of none that a newer one has followed', async () => {
  const records = [
    record('01', { notAfter: 50 }), record('02', { notBefore: 100 }), record('03', { notAfter: 150, holder: 'b@ood1' }),
    record('04', { notAfter: 120, holder: 'c@ood1', revokedAt: 5 }), record('05', { role: 'ood', notAfter: 900 }),
  ]
  const found = await survey(vaultOf(records, 2), 'pki', 100)
  assert.equal(found.counts, { valid: 3, revoked: 1, ended: 1 })
  assert.equal([...found.soonest], [['service', 150], ['ood', 900]])
  assert.equal([...found.lastEnds], [['a', 900]])
  assert.equal(found.expiring.map(({ record: { serial }, urgency }) => `${serial} ${urgency}`), [])
  assert.is(found.changesAt, 101, 'the one that ends at 150 is due at a third of its life')
  const later = await survey(vaultOf(records), 'pki', 140)
  assert.equal(later.expiring.map(({ record: { serial }, urgency }) => `${serial} ${urgency}`), ['03 urgent'])
})

test('as many holders are looked at, and as many of them told, as the limits say; the others are counted', async () => {
  const many = Array.from({ length: limits.certificatesTold + 1 }, (_, index) =>
    record(String(index).padStart(6, '0'), { holder: `h${index}@ood1`, notAfter: 1_000 + index }))
  const found = await survey(vaultOf(many), 'pki', 999)
  assert.equal([found.expiring.length, found.counts.valid], [limits.certificatesTold, many.length])
  assert.is(found.expiring[0]?.record.notAfter, 1_000, 'the first to end first')
  const crowd = Array.from({ length: limits.certificateHolders + 1 }, (_, index) =>
    record(String(index).padStart(6, '0'), {
      holder: `h${index}`, role: index === limits.certificateHolders ? 'x' : 'y',
    }))
  const vault = vaultOf(crowd)
  const counted = await survey(vault, 'pki', 1)
  assert.equal([counted.counts.valid, [...counted.soonest.keys()]], [crowd.length, ['y']])
  assert.is(vault.pages, Math.ceil(crowd.length / limits.certificatePage))
})

test('each is told once for each degree, and a short life not at a third', () => {
  const said: string[] = []
  const warnings = createWarnings({
    warn: (_, fields) => void said.push(`warn ${String(fields?.['id'] ?? fields?.['serial'])}`),
    error: (_, fields) => void said.push(`error ${String(fields?.['id'] ?? fields?.['serial'])}`),
  })
  const tell = (now: number): void => {
    const long = record('01', { notAfter: 300 * DAY })
    const short = record('02', { notAfter: DAY, notBefore: 0 })
    const expiring = [long, short].map((each) => ({ mount: 'pki', record: each, urgency: urgencyOf(each, now) }))
      .filter(({ urgency }) => urgency !== 'good')
    warnings.tell(now, new Map([['pki', [authority('a'), authority('t', { state: 'tainted', notAfter: DAY })]]]), [{
      mount: 'pki', counts: { valid: 2, revoked: 0, ended: 0 }, soonest: new Map(), lastEnds: new Map(), expiring,
      changesAt: undefined,
    }])
  }
  tell(0.7 * DAY)
  assert.equal(said, [])
  tell(0.95 * DAY)
  tell(0.95 * DAY)
  assert.equal(said, ['error 02'])
  tell(201 * DAY)
  tell(202 * DAY)
  assert.equal(said.splice(0), ['error 02', 'warn 01', 'error 02'], 'once urgent, and once at its end')
  tell(280 * DAY)
  assert.equal(said.splice(0), ['error 01'])
  tell(7 * YEAR)
  tell(9.5 * YEAR)
  assert.equal(said.filter((line) => line.endsWith(' a')), ['warn a', 'error a'])
})

test.run()
