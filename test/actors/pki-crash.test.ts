/** A certificate that was answered is in the inventory: the process that signs is killed at any moment. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Vault } from '../../actors/vault/protocol.ts'
import { up } from '../../boot/up.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { plainErrors } from '../compliance/store/checks.ts'

const program = new URL('../boot-fixtures/pki-signer.ts', import.meta.url)
const ROUNDS = 2
const CERTIFICATES_MIN = 150
const PAGE = 500

/** Kills it once it has answered some more than `count`; the serials that it printed. */
async function signed(folder: string, count: number): Promise<readonly string[]> {
  const runtime = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : []
  const child = spawn(process.execPath, [...runtime, fileURLToPath(program), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let lines = 0
  child.stdout.on('data', (chunk: Uint8Array) => {
    const text = new TextDecoder().decode(chunk)
    output += text
    lines += text.split('\n').length - 1
    if (lines > count) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  // The last line may be cut
  return output.split('\n').slice(0, -1).filter((line) => line !== 'signing')
}

test('killed as it signs, the vault has every certificate that it answered', () => plainErrors(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-pki-crash-'))
  try {
    const answered: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const serials = await signed(folder, CERTIFICATES_MIN + round * 37)
      assert.ok(serials.length >= CERTIFICATES_MIN, `${serials.length} certificates were answered`)
      answered.push(...serials)
    }
    assert.is(new Set(answered).size, answered.length, 'no serial was given twice')
    const zone = await up({ platform: await openPlatform(), folder })
    const kept = new Set<string>()
    for (let after: string | undefined; ;) {
      const page = await zone.get(Vault).certificates({
        mount: 'pki', limit: PAGE, ...(after === undefined ? {} : { after }),
      })
      for (const { serial } of page.certificates) kept.add(serial)
      after = page.certificates.at(-1)?.serial
      if (!page.more) break
    }
    await zone.stop()
    assert.equal(answered.filter((serial) => !kept.has(serial)), [], `of ${answered.length}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}))

test.run()
