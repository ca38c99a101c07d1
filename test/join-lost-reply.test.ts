/** The control plane dies between the transaction of a join and its answer: the same host gets the same certificate. */
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, newFolder, objectOf, removeFolders, start, zonewright } from './boot-fixtures/command-line.ts'
import { freePort } from './boot-fixtures/joining.ts'

test.after(removeFolders)

/** Bytes that a host has sent after its first answer once its request is under way: what it asks before is shorter. */
const REQUEST_BYTES = 700

interface Relay {
  readonly port: number
  /** Settles when the first answer to a request has come, of which nothing is handed on. */
  readonly answered: Promise<void>
  close(): void
}

/** Hands on what each side says, and keeps the first answer to a request to itself. */
function relayTo(target: number): Promise<Relay> {
  let lost = false
  let settle = (): void => {}
  const answered = new Promise<void>((resolve) => { settle = resolve })
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    let sent = 0
    let isAnswered = false
    near.on('data', (data) => {
      if (isAnswered) sent += data.length
      far.write(data)
    })
    far.on('data', (data) => {
      isAnswered = true
      if (lost || sent < REQUEST_BYTES) return void near.write(data)
      lost = true
      near.destroy()
      far.destroy()
      settle()
    })
    near.on('error', () => {}).on('close', () => far.destroy())
    far.on('error', () => {}).on('close', () => near.destroy())
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({
    port: (server.address() as { port: number }).port, answered, close: () => void server.close(),
  })))
}

test('a reply that is lost with the control plane is given again, byte for byte, after its restart', async () => {
  const cwd = newFolder()
  const port = await freePort()
  writeFileSync(path(cwd, 'config.yaml'), `addr: 127.0.0.1:${port}\ntls_config: { enable: true }\n`)
  const first = await liveZone({ args: ['--config', 'config.yaml'], cwd })
  const { id } = await first.json('gen', 'join-token', '--host', 'node1', '--out', 'files') as { id: string }
  const relay = await relayTo(port)
  const joining = start([...zonewright, 'join', '--server', `127.0.0.1:${relay.port}`,
    '--token-file', 'files/node1.join-token', '--root', 'files/root.pem', '--once', '--attempts', '60', '--json',
  ], { cwd })
  await relay.answered
  first.up.signal('SIGKILL')
  await first.up.ended
  const second = await liveZone({ args: ['--config', 'config.yaml'], cwd, login: false })
  const { exitCode, stdout, stderr } = await joining.ended
  assert.is(exitCode, 0, stderr)
  relay.close()
  const { serial, steps } = objectOf({ stdout }) as { serial: string; steps: { number: number }[] }
  assert.ok(steps.filter(({ number }) => number === 11).length > 1, 'it asked again')
  const { tokens } = await second.json('join-tokens') as { tokens: Record<string, unknown>[] }
  const token = tokens.find((one) => one['id'] === id)!
  assert.equal([token['state'], token['serial'], token['refused']], ['used', serial, 0])
  // The document that was not there when the control plane ended, or of which nobody was told
  const { devices } = await second.json('devices') as { devices: Record<string, unknown>[] }
  assert.equal(devices.map(({ name, valid, kid }) => [name, valid, kid === token['device']]),
    [['node1', true, true], ['ood1', true, false]])
  await second.stop()
})

test.run()
