/** A restore that is killed at any moment: what it left does not boot, and the same restore completes it. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { makeBackup } from '../boot/backup/create.ts'
import { planRenewal } from '../boot/backup/renew-epoch.ts'
import { planRestore } from '../boot/backup/restore.ts'
import { readBooted, readDocuments } from '../boot/backup/zone.ts'
import { file } from '../boot/init.ts'
import { up } from '../boot/up.ts'
import type { Infer } from '../runtime/protocol.ts'
import type { DeviceDocument } from '../actors/records.ts'
import { deviceDocumentType } from '../actors/records.ts'
import { openEmbeddedStore } from '../runtime/store/embedded.ts'
import { readNewestLog } from '../runtime/store/embedded/log-file.ts'
import { signDocument } from '../runtime/trust/keys.ts'
import {
  bootedFolder, keyIn, keysOf, newFolder, outcomeOf, passphrase, plainly, platform, removeFolders, restoreTo,
} from './boot-fixtures/backup-zone.ts'

const CHILD = '--restore'
const STEPS = 10
const CHILD_MS = 30_000
const onDeno = 'Deno' in globalThis
const own = onDeno
  ? ['run', '-A', '--unstable-worker-options', process.argv[1] ?? '']
  : ['--enable-source-maps', process.argv[1] ?? '']

/** Begins to restore; killed `afterMs` after everything was verified and before it may end by itself. */
function restoreInChild(folder: string, from: string, zone: string, afterMs: number): Promise<{ ms: number }> {
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, [...own, CHILD, folder, from, zone], { stdio: ['ignore', 'pipe', 'inherit'] })
    let beganMs = 0
    const kill = (): void => void process.kill(child.pid ?? 0, 'SIGKILL')
    const late = setTimeout(() => {
      kill()
      reject(new Error('The child did nothing in time'))
    }, CHILD_MS)
    child.stdout.once('data', () => {
      beganMs = performance.now()
      if (afterMs < Infinity) setTimeout(() => child.exitCode ?? kill(), afterMs)
    })
    child.on('close', () => {
      clearTimeout(late)
      settle({ ms: performance.now() - beganMs })
    })
  })
}

const epochsOf = async (folder: string): Promise<readonly [config: number, document: number]> => {
  const state = await readNewestLog(join(folder, 'stores/system-config'))
  const { config } = await readBooted(platform, state!)
  const { zone } = readDocuments(platform, new Uint8Array(readFileSync(join(folder, file.identity))))
  return [config.epoch, zone.epoch]
}

function defineTests(): void {
  const test = suite('a restore that is killed')
  let zone = ''
  let backup = ''
  test.before(() => plainly(async () => {
    zone = await bootedFolder()
    backup = join(newFolder(), 'backup')
    await makeBackup({ platform, folder: zone, file: backup })
  }))
  test.after(removeFolders)

  test('killed at any moment it leaves nothing that boots, and run again it completes', () => plainly(async () => {
    const { ms } = await restoreInChild(join(newFolder(), 'whole'), backup, zone, Infinity)
    let unfinished = 0
    let last = ''
    for (let step = 0; step < STEPS; step++) {
      const folder = last = join(newFolder(), 'restored')
      await restoreInChild(folder, backup, zone, ms * step / STEPS)
      const names = existsSync(folder) ? readdirSync(folder) : []
      if (names.includes(file.restoring)) {
        unfinished++
        assert.match(await outcomeOf(() => up({ platform, folder })), /^RestoreUnfinished 30: /)
        const copy = () => makeBackup({ platform, folder, file: `${backup}.${step}` })
        assert.match(await outcomeOf(copy), /^RestoreUnfinished 30: /)
      }
      if (names.includes(file.restoring) || !names.includes(file.identity)) await restoreTo(folder, backup, zone)
      assert.equal(await epochsOf(folder), [1, 1], `killed after ${step} of ${STEPS}`)
      assert.not.ok(existsSync(join(folder, file.restoring)))
    }
    assert.ok(unfinished >= 3, `unfinished: ${unfinished} of ${STEPS}`)
    const running = await up({ platform, folder: last })
    assert.is(running.secondBoot, true)
    await running.stop()
  }))

  test('two restores into one folder at the same time do not mix', () => plainly(async () => {
    const folder = join(newFolder(), 'restored')
    const outcomes = await Promise.all([1, 2].map(() => outcomeOf(() => restoreTo(folder, backup, zone))))
    const [done, refused] = outcomes.sort().reverse()
    assert.is(done, 'it was done', outcomes.join('; '))
    assert.match(refused!, /^(FolderInUse 5|FolderNotEmpty 29): /)
    assert.equal(await epochsOf(folder), [1, 1])
  }))

  test('a restore of a restored zone, and one that was asked for more, goes on from there', () => plainly(async () => {
    const [first, second] = [join(newFolder(), 'first'), join(newFolder(), 'second')]
    await restoreTo(first, backup, zone, { epoch: 7 })
    assert.equal(await epochsOf(first), [7, 7])
    const again = join(newFolder(), 'again')
    await makeBackup({ platform, folder: first, file: again })
    await restoreTo(second, again, zone)
    assert.equal(await epochsOf(second), [8, 8])
  }))

  test('where documents and stores are of different epochs, up says which, and a new epoch ends it',
    () => plainly(async () => {
      const [older, newer] = [join(newFolder(), 'older'), join(newFolder(), 'newer')]
      await restoreTo(older, backup, zone)
      await restoreTo(newer, backup, zone, { epoch: 5 })
      const [document, old] = [join(newer, file.identity), join(older, file.identity)]
      const [five, one] = [readFileSync(document), readFileSync(old)]
      await writeFile(document, one)
      await writeFile(old, five)
      const says = async (folder: string) => outcomeOf(() => up({ platform, folder }))
      assert.match(await says(newer), /^EpochMismatch 31: .*boot\/config is of epoch 5, but the zone document .* of 1$/)
      assert.match(await says(older), /^EpochMismatch 31: .*boot\/config is of epoch 1, but the zone document .* of 5$/)
      for (const folder of [newer, older]) {
        const plan = await planRenewal({ platform, folder, owner: await keyIn(zone, file.ownerKey) })
        await plan.run()
        await plan.release()
        assert.equal(await epochsOf(folder), [6, 6])
        await (await up({ platform, folder })).stop()
      }
      const wrong = planRenewal({ platform, folder: newer, owner: await keyIn(zone, file.deviceKey) })
      assert.match(await outcomeOf(() => wrong), /^OwnerKeyNeeded 15: /)
      assert.equal(readdirSync(newer).filter((name) => name.startsWith('lock')), [])
    }))

  test('the hosts of a cluster come back with their stores, and with the new zone document', () => plainly(async () => {
    const owner = await keyIn(zone, file.ownerKey)
    const node = join(zone, 'nodes/node1')
    await mkdir(node, { recursive: true })
    const key = platform.keys.generate(platform.random.fork('node'))
    const { zone: document, zoneDocument, deviceDocument: oodDocument } = readDocuments(
      platform, new Uint8Array(readFileSync(join(zone, file.identity))))
    const device: Infer<typeof DeviceDocument> = {
      zone: document.zone, name: 'node1', role: 'node', key: key.public.jwk, owner: document.owner, iat: 1,
    }
    const deviceDocument = signDocument(owner, deviceDocumentType, device)
    await writeFile(join(node, file.deviceKey), key.exportPem())
    await writeFile(join(node, file.identity), JSON.stringify({ zoneDocument, deviceDocument, oodDocument }))
    const store = await openEmbeddedStore(join(node, 'stores/service'), platform)
    await store.put('kept', new Uint8Array([1, 2, 3]))

    const sealed = join(newFolder(), 'sealed')
    const { manifest } = await makeBackup({ platform, folder: zone, file: sealed, passphrase })
    await store.close()
    assert.ok(manifest.files.some(({ path }) => path === 'nodes/node1/stores/service/log.1'))
    const folder = join(newFolder(), 'restored')
    await restoreTo(folder, sealed, zone, { passphrase })
    const restored = JSON.parse(readFileSync(join(folder, 'nodes/node1', file.identity), 'utf8'))
    const top = JSON.parse(readFileSync(join(folder, file.identity), 'utf8'))
    assert.is(restored.zoneDocument, top.zoneDocument)
    assert.equal([restored.deviceDocument, restored.oodDocument], [deviceDocument, oodDocument])
    assert.equal(readFileSync(join(folder, 'nodes/node1', file.deviceKey), 'utf8'), key.exportPem())
    const state = await readNewestLog(join(folder, 'nodes/node1/stores/service'))
    assert.equal([...state!.entry('kept')!.value], [1, 2, 3])

    const open = join(newFolder(), 'open')
    await makeBackup({ platform, folder: zone, file: open })
    const keyless = join(newFolder(), 'keyless')
    assert.equal((await restoreTo(keyless, open, zone)).keyless, ['node1'])
    assert.not.ok(existsSync(join(keyless, 'nodes/node1', file.identity)))
    const { deviceKeys } = await keysOf(zone)
    const given = { deviceKeys: [key, ...deviceKeys] }
    const keyed = join(newFolder(), 'keyed')
    assert.equal((await restoreTo(keyed, open, zone, given)).keyless, [])
    assert.equal(readFileSync(join(keyed, 'nodes/node1', file.deviceKey), 'utf8').trim(), key.exportPem().trim())
  }))

  test.run()
}

const [flag, folder = '', from = '', zone = ''] = process.argv.slice(2)
if (flag === CHILD) {
  const plan = await planRestore({ platform, file: from, folder, ...await keysOf(zone) })
  process.stdout.write('verified\n')
  await plan.run()
  process.exit(0)
} else defineTests()
