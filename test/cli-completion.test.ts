/** What a shell completes, by the script that the program prints. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders, zonewright, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine
const bin = (): string => join(zone.cwd, 'bin')

test.before(async () => { zone = await liveZone() })
test.after(async () => {
  await zone.stop()
  removeFolders()
})

/** As if it were installed: the script calls it by its name then. */
async function install(): Promise<void> {
  mkdirSync(bin())
  writeFileSync(join(bin(), 'zonewright'), `#!/bin/sh\nexec ${zonewright.map((word) => `'${word}'`).join(' ')} "$@"\n`,
    { mode: 0o755 })
  const { stdout } = await zone.run('completion', 'bash')
  // In a checkout it names how it is called there; here it is on the PATH
  const script = stdout.replace(/^.*__complete --/m, '    zonewright __complete --')
  writeFileSync(join(zone.cwd, 'completion.bash'), script)
}

/** What bash offers for this line, by the script that the program prints. */
function completed(line: string): readonly string[] {
  const words = line.split(' ')
  const ask = `. ./completion.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); `
    + `COMP_CWORD=${words.length - 1}; COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _zonewright_complete; `
    + 'printf "%s\\n" "${COMPREPLY[@]}"; complete -p zonewright'
  const ended = spawnSync('bash', ['--norc', '-c', ask], {
    cwd: zone.cwd, encoding: 'utf8',
    env: { ...process.env, PATH: `${bin()}:${process.env['PATH']}`, XDG_STATE_HOME: join(zone.cwd, 'state') },
  })
  assert.match(ended.stdout, /complete .*-F _zonewright_complete zonewright/, ended.stderr)
  return ended.stdout.trim().split('\n').slice(0, -1).filter(Boolean)
}

test('bash completes commands, options, and the names of the running zone', async () => {
  await install()
  assert.equal(completed('zonewright ki'), ['kill'])
  assert.equal(completed('zonewright services st'), ['start', 'stop'])
  assert.ok((completed('zonewright kv get --')).includes('--json'))
  assert.equal(completed('zonewright completion f'), ['fish'])
  assert.ok((completed('zonewright kill ')).includes('ood1/vault'))
  assert.equal(completed('zonewright ps o'), ['ood1'])
  assert.equal(completed('zonewright services restart se'), ['service'])
  assert.equal(completed('zonewright kv get services/ga'), ['services/gateway'])
  assert.equal(completed('zonewright kill --dir ./none '), [])
  assert.equal(completed('zonewright trust --role verif'), ['verify-hub'])
  assert.equal(completed('zonewright devices show o'), ['ood1'])
  assert.equal(completed('zonewright sudo us'), ['users'])
  assert.equal(completed('zonewright sudo --key ./k users sus'), ['suspend'])
  assert.equal(completed('zonewright sudo kv get services/ga'), ['services/gateway'])
  assert.ok(completed('zonewright sudo --').includes('--key'))
})

test('the scripts for the other shells are of their language, where these are installed', async () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { stdout, exitCode } = await zone.run('completion', shell)
    assert.is(exitCode, 0)
    assert.match(stdout, /__complete --/)
    const ended = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' })
    if (!ended.error) assert.is(ended.status, 0, ended.stderr)
  }
  await zone.fails(2, 'completion', 'tcsh')
})

test.run()
