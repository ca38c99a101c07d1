/** A host joins a zone by the documented 18 steps: two processes, real TLS, each step told by its receiver. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { joinSequence } from '../boot/sequences.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { objectOf, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, programs, type JoiningZone } from './boot-fixtures/joining.ts'

interface Step {
  readonly number: number
  readonly from: string
  readonly to: string
  readonly evidence: Readonly<Record<string, unknown>>
}

let zone: JoiningZone

test.before(async () => {
  zone = await joiningZone()
  assert.is((await zone.run('login', '--password-file', 'password')).exitCode, 0)
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

/** Files below a folder, by path. */
const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String).sort()

for (const [index, [name, command]] of programs().entries()) {
  test(`a host joins by the 18 steps, in a process of ${name}`, async () => {
    const host = `node${index + 1}`
    const before = zone.steps.length
    const generated = await zone.run('gen', 'join-token', '--host', host, '--out', host, '--ttl', '300', '--json')
    assert.is(generated.exitCode, 0, generated.stderr)
    const told = objectOf(generated) as { id: string; files: { token: string; root: string }; steps: Step[] }
    const modes = [told.files.token, told.files.root].map((file) => statSync(file).mode & 0o777)
    assert.equal(modes, [0o600, 0o600])
    assert.not.match(generated.stdout, /zwj_/, 'the token is in its file alone')
    const secret = (JSON.parse(readFileSync(told.files.token, 'utf8')) as { token: string }).token

    const kept = filesIn(zone.cwd).filter((file) => !file.startsWith('.zone'))
    const joined = await zone.begin(command, [
      'join', '--token-file', told.files.token, '--root', told.files.root, '--once', '--json', '--dir', `of-${host}`,
    ]).ended
    assert.is(joined.exitCode, 0, joined.stderr)
    const { serial, steps: atHost } = objectOf(joined) as { serial: string; steps: Step[] }
    const made = filesIn(zone.cwd).filter((file) => !file.startsWith('.zone') && !kept.includes(file))
    assert.equal(made, [`of-${host}`, `of-${host}/device.key`, `of-${host}/host.json`], 'no certificate is on disk')
    for (const file of made.slice(1)) {
      const text = readFileSync(path(zone.cwd, file), 'utf8')
      assert.is(statSync(path(zone.cwd, file)).mode & 0o777, 0o600)
      if (file.endsWith('.json')) assert.not.match(text, /PRIVATE KEY|zwj_/)
    }

    // Effects, without the trace
    const list = objectOf(await zone.run('join-tokens', '--json')) as { tokens: { id: string }[] }
    const token = list.tokens.find(({ id }) => id === told.id) as { state?: string; serial?: string; device?: string }
    assert.equal([token.state, token.serial], ['used', serial])
    const { certificates } = await zone.zone.get(Vault).certificates({ mount: 'pki', limit: 1_000 })
    const mine = certificates.filter(({ names }) => names.includes(`spiffe://zone.local/node/${host}`))
    assert.equal(mine.map((one) => [one.serial, one.role, one.holder]), [[serial, 'node', `device:${token.device}`]])

    // Each step, told by the side that received it
    const ofZone = zone.steps.slice(before)
    const received: Step[] = [
      ...ofZone.map(({ number, actor, evidence }) =>
        ({ number, from: '', to: actor === 'vault' ? 'vault' : 'ood', evidence })),
      ...[...told.steps, ...atHost].filter(({ to }) => ['admin', 'host'].includes(to)),
    ]
    for (const { number, to } of joinSequence.steps) {
      const marks = received.filter((step) => step.number === number)
      assert.equal(marks.map((mark) => mark.to), [to], `step ${number}`)
      assert.ok(Object.keys(marks[0]!.evidence).length > 0, `step ${number} has evidence`)
    }
    // Between two threads their events may cross
    const orderAt = (actor: string): number[] => ofZone.filter((one) => one.actor === actor).map(({ number }) => number)
    assert.equal([orderAt('enrolment'), orderAt('vault')], [[1, 3, 4, 8, 11, 13, 14, 16], [2, 12, 15]])
    const evidenceOf = (number: number): Step['evidence'] => received.find((step) => step.number === number)!.evidence
    const all = (name: string, numbers: readonly number[], value: string): void =>
      assert.equal(numbers.map((number) => evidenceOf(number)[name]), numbers.map(() => value))
    all('jti', [2, 3, 4, 5, 6, 12, 13, 15, 16], told.id)
    all('serial', [15, 16, 17, 18], serial)
    assert.is(evidenceOf(7)['csr'], evidenceOf(11)['csr'])
    assert.is(evidenceOf(15)['device'], token.device)
    const everything = JSON.stringify([ofZone, told.steps, atHost]) + joined.stdout + joined.stderr
    assert.not.ok(everything.includes(secret), 'the token is told nowhere')
    assert.not.match(everything, /PRIVATE KEY/)
  })
}

test('the steps are shown as a table, with who and what', async () => {
  const generated = await zone.run('gen', 'join-token', '--host', 'node9', '--out', 'nine', '--cidr', '127.0.0.0/8')
  assert.match(generated.stdout, /join --server 127\.0\.0\.1:\d+ --token-file node9\.join-token --root root\.pem/)
  const { exitCode, stdout } = await zone.run(
    'join', '--token-file', 'nine/node9.join-token', '--root', 'nine/root.pem', '--host', 'node9', '--once',
    '--dir', 'of-node9',
  )
  assert.is(exitCode, 0)
  const shown = [...stdout.matchAll(/^ *(\d+) +\d+ ms /gm)].map(([, number]) => Number(number))
  assert.equal(shown, [6, 7, 8, 9, 10, 11, 17, 18])
  assert.match(stdout, /node9 has joined zone\.local; its certificate is good for 23 h/)
  assert.match((await zone.run('join-tokens')).stdout, /node9 +used +127\.0\.0\.0\/8 +owner +0 /)
  const { mode } = statSync(path(zone.cwd, '.zone/run'))
  assert.equal([mode & 0o777, statSync(path(zone.cwd, '.zone/run/enrolment.sock')).mode & 0o777], [0o700, 0o600])
})

test.run()
