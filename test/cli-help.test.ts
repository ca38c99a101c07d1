/** What a person reads who asks: no zone is needed for it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newFolder, removeFolders, start, zonewright, type Ended } from './boot-fixtures/command-line.ts'
import { halfOf } from './commit.ts'

const cwd = newFolder()
test.after(removeFolders)

const run = (...words: readonly string[]): Promise<Ended> => start([...zonewright, ...words], { cwd }).ended
const GROUPS = [
  'kv', 'services', 'users', 'sessions', 'devices', 'keys', 'rbac', 'audit', 'gen', 'recover', 'certs', 'ca', 'vault',
  'join-tokens', 'hosts',
]
/** Of these at once: a process each. */
const AT_ONCE = 4

test('every command has help with examples of its own', async () => {
  const names = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await run('__complete', '--', ...words, '')).stdout.trim().split('\n').filter(Boolean)
  const top = (await names()).filter((name) => name !== 'help' && name !== 'exit-codes')
  assert.ok(top.length >= 14, top.join(' '))
  const below = async (group: string): Promise<readonly string[]> =>
    (await names(group)).map((name) => `${group} ${name}`)
  const groups = GROUPS.filter((name) => top.includes(name))
  const commands = halfOf([...top, ...(await Promise.all(groups.map(below))).flat()])
  for (let at = 0; at < commands.length; at += AT_ONCE) {
    await Promise.all(commands.slice(at, at + AT_ONCE).map(async (command) => {
      const { exitCode, stdout } = await run(...command.split(' '), '--help')
      assert.is(exitCode, 0, command)
      assert.match(stdout, new RegExp(`\\nExamples:\\n[^]* ${command}`), command)
      assert.match(stdout, /\nExit codes:[^]* help exit-codes\n/, command)
      if (!stdout.includes('\nCommands:\n')) assert.match(stdout, /^ +--json /m, command)
    }))
  }
})

test.run()
