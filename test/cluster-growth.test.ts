/** More nodes than a folder has had: only by the owner key, which says what it signs. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OwnerSigns } from '../boot/grow.ts'
import { type RunningZone, up, type UpOptions } from '../boot/up.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { hostLines, newFolder, ownerOf } from './boot-fixtures/cluster.ts'

const PASSPHRASE = 'correct horse battery staple'

const platform = await openPlatform()
const keyOf = (folder: string): UpOptions['ownerKey'] =>
  ({ path: join(folder, 'owner.key'), pem: readFileSync(join(folder, 'owner.key'), 'utf8') })

interface Booted {
  readonly lines: readonly string[]
  readonly signs: readonly OwnerSigns[]
  readonly secondBoot: boolean
  readonly devices: readonly string[]
}

/** Boots, looks, and stops. */
async function boot(folder: string, options: Partial<UpOptions>): Promise<Booted> {
  const signs: OwnerSigns[] = []
  const zone = await up({
    platform, folder, ...options, onProgress: (one) => { if (one.type === 'owner-signs') signs.push(one) },
  })
  try {
    return { lines: hostLines(zone), signs, secondBoot: zone.secondBoot, devices: await devicesOf(zone, folder) }
  } finally {
    await zone.stop()
  }
}

const devicesOf = async (zone: RunningZone, folder: string): Promise<readonly string[]> =>
  (readFileSync(join(folder, 'owner.key'), 'utf8').includes('ENCRYPTED') ? []
    : ownerOf(zone, platform, folder).list('devices'))

const failureOf = (work: Promise<unknown>): Promise<ZonewrightError> => work.then(
  () => { throw new Error('It went well') },
  (error: unknown) => {
    if (error instanceof ZonewrightError) return error
    throw error
  },
)

const folder = newFolder()

test('a zone boots with one node, and the second boot finds it', async () => {
  const first = await boot(folder, { nodes: 1 })
  assert.equal(first.lines, ['ood1 serving 1', 'node1 serving 1'])
  assert.equal(first.devices, ['node1', 'ood1'])
  const second = await boot(folder, { nodes: 1 })
  assert.equal([second.secondBoot, second.lines, second.signs], [true, first.lines, []])
})

test('more nodes without the owner key: nothing is made, and it says what to do', async () => {
  const error = await failureOf(boot(folder, { nodes: 3 }))
  assert.is(error.code, 'OwnerKeyNeeded')
  assert.match(error.message, /node2, node3/)
  assert.match(String(error.details['next']), /up --nodes 3 --owner-key .*owner\.key/)
  assert.is(existsSync(join(folder, 'nodes', 'node2')), false)
})

test('the key of another owner, or one that does not open, signs nothing', async () => {
  const other = platform.keys.generate(platform.random)
  const wrong = await failureOf(boot(folder, { nodes: 2, ownerKey: { path: 'k', pem: other.exportPem() } }))
  assert.is(wrong.code, 'OwnerKeyNeeded')
  assert.match(wrong.message, /not the owner key of/)
  const closed = await failureOf(boot(folder, { nodes: 2, ownerKey: { path: 'k', pem: other.exportPem('x') } }))
  assert.is(closed.code, 'OwnerKeyNeeded')
  assert.match(String(closed.details['next']), /--owner-passphrase-file/)
  assert.is(existsSync(join(folder, 'nodes', 'node2')), false)
})

test('with the owner key they are signed and registered, which is said before; once is enough', async () => {
  const grown = await boot(folder, { nodes: 3, ownerKey: keyOf(folder)! })
  assert.equal(grown.lines, ['ood1 serving 1', 'node1 serving 1', 'node2 serving 1', 'node3 serving 1'])
  assert.equal(grown.devices, ['node1', 'node2', 'node3', 'ood1'])
  assert.equal(grown.signs.map(({ documents, registers, tokenSeconds }) => [documents, registers, tokenSeconds]), [
    [['node2', 'node3'], ['node2', 'node3'], 300],
  ])
  const again = await boot(folder, { nodes: 3, ownerKey: keyOf(folder)! })
  assert.equal([again.lines, again.signs], [grown.lines, []])
})

test('fewer nodes than before: the others do not run, and need no key to come back', async () => {
  const fewer = await boot(folder, { nodes: 1 })
  assert.equal(fewer.lines, ['ood1 serving 1', 'node1 serving 1'])
  assert.equal(fewer.devices, ['node1', 'node2', 'node3', 'ood1'])
  assert.is((await boot(folder, { nodes: 3 })).lines.length, 4)
})

test('a device key that is gone, or a document of another host, stops the start with a word', async () => {
  const key = join(folder, 'nodes', 'node2', 'device.key')
  const identity = join(folder, 'nodes', 'node2', 'identity.json')
  const [pem, text] = [readFileSync(key), readFileSync(identity)]
  rmSync(key)
  assert.is((await failureOf(boot(folder, { nodes: 3 }))).code, 'DeviceKeyMissing')
  writeFileSync(key, readFileSync(join(folder, 'nodes', 'node1', 'device.key')))
  assert.is((await failureOf(boot(folder, { nodes: 3 }))).code, 'DeviceKeyMismatch')
  writeFileSync(key, pem)
  writeFileSync(identity, readFileSync(join(folder, 'nodes', 'node1', 'identity.json')))
  assert.match((await failureOf(boot(folder, { nodes: 3 }))).message, /its document is of node node1/)
  writeFileSync(identity, '{')
  assert.is((await failureOf(boot(folder, { nodes: 3 }))).code, 'FolderDamaged')
  writeFileSync(identity, text)
  rmSync(folder, { recursive: true })
})

test('with an encrypted owner key the passphrase is needed as well', async () => {
  const own = newFolder()
  await boot(own, { ownerPassphrase: PASSPHRASE })
  assert.is((await failureOf(boot(own, { nodes: 1, ownerKey: keyOf(own)! }))).code, 'OwnerKeyNeeded')
  const grown = await boot(own, { nodes: 1, ownerKey: keyOf(own)!, ownerPassphrase: PASSPHRASE })
  assert.equal(grown.lines, ['ood1 serving 1', 'node1 serving 1'])
  rmSync(own, { recursive: true })
})

test.run()
