/** A zone asks a program of its own about each host that wants to join; whatever goes wrong with it is a no. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readConfig } from '../boot/config.ts'
import { limits } from '../runtime/limits.ts'
import type { ZonewrightError } from '../runtime/errors.ts'
import { newFolder, removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone, type Made } from './boot-fixtures/joining.ts'

const cwd = newFolder()
const program = path(cwd, 'hook.sh')
let zone: JoiningZone

/** What the program does from now on. */
const does = (script: string): void => {
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o700)
}

test.before(async () => {
  does('exit 1')
  zone = await joiningZone(`join: { hook: ${program} }\n`, cwd)
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

const outcome = async (made: Made): Promise<string> => {
  try {
    await zone.join(made)
  } catch (error) {
    const { code, details } = error as ZonewrightError
    return `${code} ${String(details['reason'] ?? '')}`.trim()
  }
  return 'let in'
}

test('it is asked on stdin, with no secret, in an environment of its own, and its yes lets the host in', async () => {
  const made = await zone.token('node1')
  does(`cat > ${cwd}/asked; env > ${cwd}/env; echo "$#" > ${cwd}/args; echo welcome; echo more; exit 0`)
  const device = platform.keys.generate(platform.random)
  await zone.join(made, { device })
  const text = readFileSync(path(cwd, 'asked'), 'utf8')
  const asked = JSON.parse(text) as { token: Record<string, unknown> }
  const { id, createdAt, expiresAt } = made.record
  assert.equal(asked, {
    zone: 'zone.local', host: 'node1', role: 'node', address: '127.0.0.1', device: device.public.kid,
    token: { id, createdBy: 'owner', createdAt, expiresAt },
  } as object)
  assert.not.ok(text.includes(made.token))
  assert.is(readFileSync(path(cwd, 'args'), 'utf8').trim(), '0')
  const names = readFileSync(path(cwd, 'env'), 'utf8').trim().split('\n').map((line) => line.split('=')[0])
  const ofShell = ['PWD', 'SHLVL', '_', 'OLDPWD']
  assert.equal(names.filter((name) => !ofShell.includes(name!)).sort(), ['PATH', 'ZONEWRIGHT_HOOK'])
  const checked = zone.steps.findLast(({ number, host }) => number === 14 && host === 'ood1')
  assert.match(String(checked?.evidence['rules']), /cidr: any address, hook: welcome$/)
})

test('a no, a crash, too much talk, too long a silence and no program at all refuse, and use nothing up', async () => {
  const made = await zone.token('node2')
  for (const script of ['exit 1', 'echo sorry; exit 3', 'kill -9 $$', `sleep ${limits.hookMs / 1_000 + 5}`, 'yes']) {
    does(script)
    const began = performance.now()
    assert.is(await outcome(made), 'JoinNotAllowed hook', script)
    assert.ok(performance.now() - began < limits.hookMs + 3_000, script)
  }
  rmSync(program)
  assert.is(await outcome(made), 'JoinNotAllowed hook', 'there is no program')
  writeFileSync(program, '#!/bin/sh\nexit 0\n', { mode: 0o600 })
  assert.is(await outcome(made), 'JoinNotAllowed hook', 'it may not be run')
  does('exit 0')
  assert.is(await outcome(made), 'let in')
})

test('a token for other addresses is refused before anybody is asked', async () => {
  does(`touch ${cwd}/called`)
  assert.is(await outcome(await zone.token('node3', { cidr: '192.0.2.0/24' })), 'JoinNotAllowed address')
  assert.not.ok(existsSync(path(cwd, 'called')))
})

test('it is named by its whole path, in the file of the host alone', () => {
  assert.is(readConfig('join: { hook: /opt/check }\n', 'zone.yaml').config.join.hook, '/opt/check')
  for (const text of ['join: { hook: check }\n', 'join: /opt/check\n', 'join: { hooks: /opt/check }\n']) {
    assert.throws(() => readConfig(text, 'zone.yaml'), (error: ZonewrightError) => error.code === 'ConfigInvalid')
  }
})

test.run()
