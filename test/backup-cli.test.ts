/** `zonewright backup` and `restore` as a person or a script uses them, beside a zone that another process runs. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newFolder, removeFolders } from './boot-fixtures/backup-zone.ts'
import { runChild } from './boot-fixtures/child.ts'

const onDeno = 'Deno' in globalThis
const cli = onDeno ? ['run', '-A', '--unstable-worker-options', resolve('boot/cli.ts')] : [resolve('dist/boot/cli.js')]
const folder = newFolder()
const at = (name: string): string => join(folder, name)
const zone = at('zone')

async function run(...args: readonly string[]) {
  const ended = await runChild(args, { msMax: 60_000, before: cli })
  if (ended.late) throw new Error(`It did not end: ${args.join(' ')}`)
  return ended
}

test.after(removeFolders)

test('a zone that another process runs is backed up, verified, restored and proved', async () => {
  writeFileSync(at('owner-passphrase'), 'of the owner\n')
  writeFileSync(at('passphrase'), 'of the backup\n')
  const owner = ['--owner-key', join(zone, 'owner.key'), '--owner-passphrase-file', at('owner-passphrase')]
  const up = spawn(process.execPath, [...cli, 'up', '--dir', zone, ...owner.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  await new Promise<void>((ready, reject) => {
    const late = setTimeout(() => reject(new Error(`Not ready: ${printed}`)), 60_000)
    up.stdout.on('data', (text) => {
      printed += String(text)
      if (!printed.includes('Ctrl-C stops it')) return
      clearTimeout(late)
      ready()
    })
  })
  const ended = new Promise((settle) => up.on('close', settle))

  const made = await run('backup', at('open'), '--dir', zone)
  assert.is(made.code, 0, made.noise)
  assert.match(made.noise, /backed up and verified +\S+open\n/)
  assert.match(made.noise, /Not in it: device\.key, endpoint\.json, logs, owner\.key, recovery-shares, unseal\.key\n/)
  assert.match(made.noise, /To restore it you will need: the owner key, device\.key, unseal\.key\n/)
  const again = await run('backup', at('open'), '--dir', zone, '--json')
  assert.equal([again.code, (again.lines[0]?.['error'] as { code: string }).code], [21, 'AlreadyExists'])
  const sealed = await run('backup', at('sealed'), '--dir', zone, '--passphrase-file', at('passphrase'), '--json')
  assert.is(sealed.code, 0, sealed.noise)
  assert.equal([sealed.lines[0]?.['verified'], sealed.lines[0]?.['keys']], [true, true])
  process.kill(up.pid ?? 0, 'SIGTERM')
  await ended

  assert.is((await run('backup', 'verify', at('open'))).code, 0)
  assert.is((await run('backup', 'verify', at('sealed'))).code, 27)
  const read = await run('backup', 'verify', at('sealed'), '--passphrase-file', at('passphrase'), '--json')
  assert.equal([read.code, read.lines[0]?.['encrypted'], read.lines[0]?.['epoch']], [0, true, 0])
  writeFileSync(at('broken'), 'broken')
  assert.is((await run('backup', 'verify', at('broken'))).code, 26)

  const restore = ['restore', at('sealed'), '--dir', at('new'), '--passphrase-file', at('passphrase')]
  assert.is((await run(...restore, '--yes')).code, 2)
  assert.is((await run(...restore, ...owner.slice(0, 2), '--yes')).code, 15)
  const unasked = await run(...restore, ...owner)
  assert.is(unasked.code, 2)
  assert.match(unasked.noise, /will sign:\n +a zone document of zone\.local: epoch 0 becomes 1\n +a root token /)
  assert.match(unasked.noise, /error: There is no terminal to ask\n {2}next: +Sign without being asked: --yes/)
  assert.not.ok(existsSync(at('new')))
  const restored = await run(...restore, ...owner, '--yes', '--json')
  assert.is(restored.code, 0, restored.noise)
  assert.equal(restored.lines[0]?.['epoch'], { before: 0, now: 1 })
  assert.equal(readdirSync(at('new')).filter((name) => /owner|recovery|logs|lock/.test(name)), [])
  assert.is((await run(...restore, ...owner, '--yes')).code, 29)
  const renewed = await run('restore', 'epoch', '--dir', at('new'), ...owner, '--yes', '--json')
  assert.equal(renewed.lines[0]?.['epoch'], { before: { config: 1, document: 1 }, now: 2 })
  const proved = await run('prove', '--dir', at('new'), '--json')
  assert.equal([proved.code, proved.lines[0]?.['failed']], [0, 0], proved.noise)
})

test.run()
