/** The test hosts themselves: each has an address, a cable, and lines that lose or delay what they carry. */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { start, type Started } from '../boot-fixtures/command-line.ts'
import { makeNet, sweep, type TestNet } from '../boot-fixtures/netns.ts'

const PORT = 7_001
const onDeno = 'Deno' in globalThis
const code = (text: string): readonly string[] => [process.execPath, onDeno ? 'eval' : '--input-type=module', ...(onDeno
  ? [text] : ['--eval', text])]
const server = `import { createServer } from 'node:net'
createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(${PORT}, '0.0.0.0', () => console.log('up'))`
/** Says how long an answer took, or that none came within a second. */
const client = (to: string, port = PORT): string => `import { connect } from 'node:net'
const began = Date.now()
const end = (text) => { console.log(text); process.exit(0) }
import process from 'node:process'
setTimeout(() => end('nothing'), 1000)
const socket = connect(${port}, '${to}', () => socket.write('x'))
socket.on('data', () => end('answer ' + (Date.now() - began))).on('error', (error) => end(error.code))`

let net: TestNet
let echo: Started

test.before(async () => {
  net = makeNet(['left', 'right'])
  echo = start(net.on('right', code(server)), { cwd: '.' })
  await echo.printed(/up/)
})
test.after(() => net.remove())

const asked = async (to = net.address('right'), port = PORT): Promise<string> => {
  const { stdout, stderr } = await start(net.on('left', code(client(to, port))), { cwd: '.' }).ended
  assert.is(stderr, '')
  return stdout.trim()
}

test('a host reaches another by its address, and nothing of its machine', async () => {
  assert.match(await asked(), /^answer \d+$/)
  assert.match(await asked('127.0.0.1'), /ECONNREFUSED/)
})

test('a host whose cable is out reaches nobody, until it is in again', async () => {
  net.cut('left')
  assert.match(await asked(), /ENETUNREACH|nothing/)
  net.heal('left')
  assert.match(await asked(), /^answer/)
})

test('a line that loses all one way answers nothing; the loss ends when it is told to', async () => {
  for (const [from, to] of [['left', 'right'], ['right', 'left']] as const) {
    const end = net.lose(from, to)
    assert.is(await asked(), 'nothing')
    end()
    assert.match(await asked(), /^answer/)
  }
})

test('a line that is far away takes its time each way', async () => {
  const proxy = await net.delay('right', 7_002, { host: 'right', port: PORT }, 120)
  const [, ms = '0'] = /^answer (\d+)$/.exec(await asked(net.address('right'), 7_002)) ?? []
  assert.ok(Number(ms) >= 240, ms)
  proxy.signal('SIGKILL')
  await proxy.ended
})

test('what a killed test leaves behind is swept, with what runs there; what is in use is not', async () => {
  const gone = spawnSync(process.execPath, onDeno ? ['eval', '0'] : ['--eval', '0'])
  const name = `zw-${gone.pid}-1left`
  spawnSync('ip', ['netns', 'add', name])
  const left = start(['ip', 'netns', 'exec', name, ...code('setInterval(() => {}, 1000); console.log("up")')], {
    cwd: '.',
  })
  await left.printed(/up/)
  assert.equal(sweep(), [name])
  await left.ended
  assert.not.match(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout, new RegExp(name))
  assert.match(await asked(), /^answer/)
})

test('a net that is removed leaves no namespace and no process', async () => {
  net.remove()
  assert.is((await echo.ended).exitCode, null)
  assert.not.match(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout, new RegExp(`zw-${process.pid}-`))
})

test.run()
