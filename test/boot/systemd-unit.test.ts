/** The unit for systemd that `node --systemd` prints. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { systemdUnit } from '../../boot/host/systemd.ts'
import { newFolder, removeFolders, start, zonewright } from '../boot-fixtures/command-line.ts'

const unit = (folder: string, command: readonly string[] = ['/usr/bin/node', '/opt/zonewright/cli.js']): string =>
  systemdUnit({
    command: [...command, 'node', '--dir', folder], folder, description: 'Host node1 of the zone a.zone',
  })

test.after(removeFolders)

test('it runs the host from its folder at each start of the machine, and again when it ends', () => {
  const text = unit('/var/lib/zonewright')
  assert.match(text, /^ExecStart=\/usr\/bin\/node \/opt\/zonewright\/cli\.js node --dir \/var\/lib\/zonewright$/m)
  for (const line of ['Restart=always', 'WantedBy=multi-user.target', 'After=network-online.target', 'UMask=0077']) {
    assert.ok(text.split('\n').includes(line), line)
  }
  assert.match(text, /^Description=Host node1 of the zone a\.zone$/m)
})

test('words that systemd would read otherwise stand as they are meant', () => {
  const start = (folder: string): string => /^ExecStart=(.*)$/m.exec(unit(folder))![1]!
  assert.ok(start('/a b').endsWith('--dir "/a b"'))
  assert.ok(start('/50%').endsWith('--dir /50%%'))
  assert.ok(start('/a$HOME').endsWith('--dir /a$$HOME'))
  assert.ok(start('/a"b\\c').endsWith('--dir "/a\\"b\\\\c"'))
  assert.throws(() => unit('/a\nExecStartPre=/bin/sh'), /end of line/)
})

test('an OOD has one once it has booted, and nothing that only a start by hand is given is in it', async () => {
  const cwd = newFolder()
  const fails = async (exitCode: number, ...words: readonly string[]): Promise<string> => {
    const ended = await start([...zonewright, ...words, '--json'], { cwd }).ended
    assert.is(ended.exitCode, exitCode, ended.stderr)
    return ended.stderr
  }
  assert.match(await fails(71, 'up', '--systemd'), /No zone has booted .*\n +next: +Boot it once by hand/)
  assert.match(await fails(2, 'start', '--systemd', '--owner-key', 'owner.key'), /no place in a unit: --owner-key/)
  assert.equal(readdirSync(cwd), [], 'nothing was made')
})

test('systemd itself takes it, where there is one', () => {
  const program = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((one) => existsSync(one))
  if (program === undefined) return assert.is(program, undefined)
  const path = join(newFolder(), 'zonewright.service')
  writeFileSync(path, unit('/tmp', ['/bin/true']))
  const { status, stderr } = spawnSync(program, ['verify', path], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
})

test.run()
