/** What the access policy says, asked at the command line of a running zone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine

test.before(async () => { zone = await liveZone() })
test.after(async () => {
  await zone.stop()
  removeFolders()
})

interface Explained {
  readonly allowed: boolean
  readonly layers: readonly {
    readonly layer: string; readonly verdict: string; readonly line?: { readonly text: string }
  }[]
}

test('rbac check says whether, by which line, and ends with a code for scripts', async () => {
  const allowed: unknown = await zone.json('rbac', 'check', 'owner', 'console', 'write', 'users/owner/note')
  assert.equal((allowed as Explained).layers.map(({ layer, verdict, line }) => [layer, verdict, line?.text]), [
    ['guard', 'allowed', undefined], ['app', 'allowed', 'p, console, users/*, read|write'],
    ['subject', 'allowed', 'p, user, users/{user}/*, read|write'],
  ])
  const denied = await zone.run('rbac', 'check', 'owner', 'console', 'write', 'users/owner/key_settings')
  assert.is(denied.exitCode, 14, denied.stderr)
  assert.match(denied.stdout, /owner \(user\) by console: write users\/owner\/key_settings: denied/)
  assert.match(denied.stdout, /guard +denied +only root and sudo may/)
  assert.match(denied.stderr, /may not write users\/owner\/key_settings: Only root, or a user by sudo/)

  // What is refused without sudo is allowed with it
  const sudo = await zone.run('rbac', 'check', 'owner', 'console', 'write', 'users/owner/key_settings', '--sudo')
  assert.is(sudo.exitCode, 0, sudo.stderr)
  assert.match(sudo.stdout, /sudo +allowed +p, sudo, users\/\{sudo\}\/key_settings, read\|write +\[built-in\]/)
  await zone.json('rbac', 'check', 'owner', 'console', 'write', 'auth://passwords/bob', '--sudo')
  await zone.json('rbac', 'check', 'ood1', 'scheduler', 'read', 'nodes/', '--type', 'ood')
})

test('a refusal with --json is the same object, alone, and a word too few or wrong is named', async () => {
  const denied = await zone.run('rbac', 'check', 'bob', 'console', 'read', 'zone/x', '--json')
  assert.is(denied.exitCode, 14)
  assert.is((JSON.parse(denied.stdout) as Explained).allowed, false)
  const wrong = await zone.fails(2, 'rbac', 'check', 'owner', 'console', 'delete', 'zone/x')
  assert.match(wrong.message, /neither read nor/)
  await zone.fails(2, 'rbac', 'check', 'owner', 'console', 'read')
  assert.is((await zone.fails(25, 'rbac', 'check', 'owner', 'console', 'read', 'a//b')).code, 'InvalidKey')
})

test('rbac show prints the model, and tells lines of people from those of the scheduler', async () => {
  const shown = await zone.json('rbac', 'show') as unknown as {
    model: { builtIn: boolean; text: string }; lines: { line: string; derived: boolean }[]; builtIn: { app: string[] }
  }
  assert.is(shown.model.builtIn, true)
  assert.match(shown.model.text, /zonePath\(r\.obj, p\.obj, r\.sub, p\.eft\)/)
  const derived = shown.lines.filter((line) => line.derived).map(({ line }) => line)
  for (const line of ['g, owner, admin', 'g, su_owner, sudo', 'g, su_owner, su_admin', 'g, console, console']) {
    assert.ok(derived.includes(line), line)
  }
  assert.ok(shown.builtIn.app.includes('p, console, users/*, read|write'))
  const text = (await zone.run('rbac', 'show', '--built-in')).stdout
  assert.match(text, /Lines of your own[^]*none[^]*Lines that the scheduler derives[^]*g, owner, admin[^]*Built-in/)
})

test('a question that cannot be read is no answer', async () => {
  const question = (act: string, ...more: readonly string[]) =>
    zone.fails(2, 'rbac', 'check', 'alice', 'console', act, 'users/alice/theme', ...more)
  assert.match(`${(await question('eat')).next}`, /zonewright rbac check --help/)
  assert.match((await question('read', '--type', 'person')).message, /Allowed choices are ood, [^]*user/)
})

test.run()
