/** Whatever is done to an audit is found, and what is found is named; offline, by the command as well. */
import { mkdtemp, mkdir, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AuditChain } from '../actors/vault/audit/chain.ts'
import { hashOf, type AuditRecord } from '../actors/vault/audit/record.ts'
import { verifyAudit, type Verified } from '../boot/audit/verify.ts'
import { up } from '../boot/up.ts'
import { limits } from '../runtime/limits.ts'
import { systemClock } from '../runtime/platform/clock.ts'
import { openFolder } from '../runtime/platform/files.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { start, zonewright } from './boot-fixtures/command-line.ts'

const platform = await openPlatform()
const { keys, random } = platform
const root = await mkdtemp(join(tmpdir(), 'zonewright-verify-'))
test.after(() => rm(root, { recursive: true }))

let folders = 0
const newFolder = async (): Promise<string> => {
  const folder = join(root, String(folders++))
  await mkdir(folder)
  return folder
}

const name = { zone: 'z1', host: 'ood1' }
const key = keys.generate(random)
const keyText = (of = key): string => JSON.stringify({ ...name, kid: of.public.kid, jwk: of.public.jwk })
const FIRST = '000000000001.jsonl'

/** Signed twice: after the third record, and at its end. */
async function made(): Promise<{ folder: string; lines: string[] }> {
  const folder = await newFolder()
  const chain = await AuditChain.open({
    name, files: await openFolder(folder), keys, clock: systemClock, known: undefined,
    onFault() {}, onBroken() {}, onCheckpoint() {},
  }, { kind: 'opened' })
  chain.key = key
  for (const method of ['a', 'b']) await chain.record({ kind: 'call', method, who: 'x@ood1', outcome: 'done' })
  await chain.checkpoint()
  for (const method of ['c', 'd', 'e']) await chain.record({ kind: 'call', method, who: 'x@ood1', outcome: 'done' })
  await chain.close({ kind: 'closed' })
  await writeFile(join(folder, 'key.jwk'), keyText())
  const lines = (await readFile(join(folder, FIRST), 'utf8')).trimEnd().split('\n')
  assert.is(lines.length, 9)
  return { folder, lines }
}

const whole = await made()

/** The same chain with other lines. */
async function verifiedWith(lines: readonly string[], changes: { key?: string; keyFile?: string } = {}): Promise<Verified> {
  const folder = await newFolder()
  await writeFile(join(folder, FIRST), lines.map((line) => `${line}\n`).join(''))
  if (changes.key !== '') await writeFile(join(folder, 'key.jwk'), changes.key ?? keyText())
  return verifyAudit({ platform, folder, ...(changes.keyFile === undefined ? {} : { keyFile: changes.keyFile }) })
}

const faults = ({ findings }: Verified): string[] => findings.map(({ fault, seq }) => `${fault} ${seq}`)

test('a chain as it was written is whole', async () => {
  const { records, signatures, unsigned, end, findings } = await verifiedWith(whole.lines)
  assert.equal([records, signatures, unsigned, end.seq, findings], [9, 2, 0, 9, []])
})

test('a byte that is changed anywhere is found', async () => {
  // Up to the first signature
  const text = whole.lines.slice(0, 4).join('\n')
  for (let at = 0; at < text.length; at += 2) {
    const letter = text[at] === 'x' ? 'y' : 'x'
    const lines = `${text.slice(0, at)}${letter}${text.slice(at + 1)}`.split('\n')
    assert.ok((await verifiedWith(lines)).faults > 0, `at ${at}: ${text.slice(at - 20, at + 20)}`)
  }
})

test('a record that is taken out, put in, put elsewhere or there twice is found, wherever it is', async () => {
  const { lines } = whole
  for (let index = 0; index < lines.length; index++) {
    const without = lines.filter((_, other) => other !== index)
    // The last is a signature: what is before it is whole without it, and unsigned
    const left = await verifiedWith(without)
    if (index < lines.length - 1) assert.ok(faults(left).length > 0, `without ${index + 1}`)
    else assert.equal([faults(left), left.unsigned], [[], 4])
    assert.ok((await verifiedWith(lines.toSpliced(index, 0, lines[index]!))).faults > 0, `twice ${index + 1}`)
    const strange = JSON.stringify({ ...JSON.parse(lines[index]!), method: 'strange' })
    assert.ok((await verifiedWith(lines.toSpliced(index, 0, strange))).faults > 0, `before ${index + 1}`)
    assert.ok((await verifiedWith(lines.toSpliced(index, 0, 'no record'))).faults > 0, `none before ${index + 1}`)
    for (let to = 0; to < lines.length; to++) {
      if (to === index) continue
      const moved = without.toSpliced(to, 0, lines[index]!)
      assert.ok((await verifiedWith(moved)).faults > 0, `${index + 1} at ${to + 1}`)
    }
  }
})

test('a fault is named, with the record', async () => {
  const { lines } = whole
  assert.equal(faults(await verifiedWith(lines.toSpliced(2, 1))), ['missing 3'])
  assert.equal(faults(await verifiedWith(lines.toSpliced(2, 2))), ['missing 3'])
  const changed = lines.with(1, lines[1]!.replace('"a"', '"z"'))
  assert.equal(faults(await verifiedWith(changed)), ['changed 2'])
  assert.equal(faults(await verifiedWith(lines.toSpliced(4, 0, lines[1]!))), ['out-of-order 2'])
})

/** As somebody does who can write the files: each record chained anew to the one before. */
function chainedAnew(lines: readonly string[]): string[] {
  let prev = ''
  return lines.map((line, index) => {
    const record = { ...(JSON.parse(line) as AuditRecord), seq: index + 1, prev }
    const text = JSON.stringify(record)
    prev = hashOf(keys, new TextEncoder().encode(text))
    return text
  })
}

test('a chain that was written anew as a whole is found by its signatures', async () => {
  const { lines } = whole
  const without = chainedAnew(lines.toSpliced(1, 1))
  assert.equal(faults(await verifiedWith(without)), ['signature 3', 'signature 8'])
  // Behind the last signature nothing but the store knows
  assert.equal(faults(await verifiedWith(lines.slice(0, 6))), [])
})

test('whoever signs anew needs the key: one put beside the chain is noticed by who kept the right one', async () => {
  const thief = keys.generate(random)
  const folder = await newFolder()
  const chain = await AuditChain.open({
    name, files: await openFolder(folder), keys, clock: systemClock, known: undefined,
    onFault() {}, onBroken() {}, onCheckpoint() {},
  }, { kind: 'opened' })
  chain.key = thief
  await chain.close({ kind: 'closed' })
  const lines = (await readFile(join(folder, FIRST), 'utf8')).trimEnd().split('\n')
  const kept = join(await newFolder(), 'kept.jwk')
  await writeFile(kept, keyText())
  assert.equal(faults(await verifiedWith(lines, { key: keyText(thief) })), [], 'by its own key it is whole')
  assert.equal(faults(await verifiedWith(lines, { key: keyText(thief), keyFile: kept })), ['signature 3'])
  assert.equal(faults(await verifiedWith(lines, { key: '' })), ['signature 3'], 'without a key')
})

test('the chain of another host is none of this one', async () => {
  const other = JSON.stringify({ ...name, host: 'ood2', kid: key.public.kid, jwk: key.public.jwk })
  assert.equal(faults(await verifiedWith(whole.lines, { key: other })), ['signature 4', 'signature 9'])
})

test('more faults than the limit are counted, and that many are told', async () => {
  const lines = Array.from({ length: limits.auditFindings + 5 }, () => whole.lines[0]!)
  const { findings, faults: all } = await verifiedWith(lines)
  assert.equal([findings.length, all], [limits.auditFindings, limits.auditFindings + 4])
})

test('signatures that were all taken away after a while are missed', async () => {
  const folder = await newFolder()
  let nowMs = 1_795_000_000_000
  const chain = await AuditChain.open({
    name, files: await openFolder(folder), keys, clock: { ...systemClock, now: () => nowMs }, known: undefined,
    onFault() {}, onBroken() {}, onCheckpoint() {},
  }, { kind: 'opened' })
  await chain.record({ kind: 'vault', method: 'unseal', outcome: 'done' })
  nowMs += 3 * limits.auditSignMs
  await chain.record({ kind: 'call' })
  const lines = async (): Promise<string[]> => (await readFile(join(folder, FIRST), 'utf8')).trimEnd().split('\n')
  assert.equal(faults(await verifiedWith(await lines())), [])
  nowMs++
  await chain.record({ kind: 'call' })
  assert.equal(faults(await verifiedWith(await lines())), ['signature 0'])
})

test('the audit of a zone is verified and shown by commands, and an end that is gone is found by the store', async () => {
  const folder = join(root, 'zone')
  const zone = await up({ platform, folder })
  const running = await verifyAudit({ platform, folder })
  assert.equal([running.findings, running.name], [[], { zone: 'zone.local', host: zone.config.host }])
  await zone.stop()
  const run = (...words: readonly string[]) => start([...zonewright, 'audit', ...words], { cwd: root }).ended
  const verified = await run('verify', '--dir', folder, '--json')
  assert.is(verified.exitCode, 0, verified.stderr)
  const answer = JSON.parse(verified.stdout) as Verified & { whole: boolean }
  assert.equal([answer.whole, answer.unsigned, answer.storeKnows! <= answer.records], [true, 0, true])
  const shown = await run('show', '--dir', folder, '--json', '--who', 'verify-hub', '--since', '1h')
  const records = shown.stdout.trim().split('\n').map((line) => JSON.parse(line) as AuditRecord)
  assert.ok(records.length > 0 && records.every(({ who }) => who?.startsWith('verify-hub@')), shown.stdout)
  assert.match((await run('show', '--dir', folder, '--method', 'readKey')).stdout, /readKey verify-hub {2}done/)
  assert.is((await run('show', '--dir', folder, '--since', 'yesterday')).exitCode, 2)

  const copy = join(root, 'cut')
  await cp(folder, copy, { recursive: true })
  const [segment] = (await readdir(join(copy, 'audit'))).filter((each) => each.endsWith('.jsonl'))
  const path = join(copy, 'audit', segment!)
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  await writeFile(path, `${lines.slice(0, 5).join('\n')}\n`)
  const cut = await run('verify', '--dir', copy)
  assert.is(cut.exitCode, 36, cut.stdout)
  assert.match(cut.stdout, /tail-missing at record 6/)
  await rm(join(copy, 'audit'), { recursive: true })
  assert.is((await run('verify', '--dir', copy)).exitCode, 7)
})

test.run()
