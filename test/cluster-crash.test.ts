/** A cluster that is killed while it is made, or grows: the same again completes it, and nothing is there twice. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RunningZone, up, type UpOptions } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createTrace } from '../runtime/trace.ts'
import { runChild } from './boot-fixtures/child.ts'
import { hostLines, newFolder, ownerOf, refusalOf, until } from './boot-fixtures/cluster.ts'
import { die, dyingAt } from './boot-fixtures/crash-child.ts'

const CHILD = '--child'
const CHILD_MS_MAX = 40_000

const ownerKeyIn = (folder: string): UpOptions['ownerKey'] => {
  const path = join(folder, 'owner.key')
  return existsSync(path) ? { path, pem: readFileSync(path, 'utf8') } : undefined
}

function defineTests(platform: Awaited<ReturnType<typeof openPlatform>>): void {
  const killed = async (folder: string, point: string, nodes: number): Promise<void> => {
    const end = await runChild([CHILD, folder, point, String(nodes)], { msMax: CHILD_MS_MAX })
    assert.is(end.late, false, `it did not come to ${point}: ${end.noise}`)
    assert.is(end.signal, 'SIGKILL', `${point}: ${end.noise}`)
  }
  /** Boots without the owner key, looks, and stops. */
  const whole = async (folder: string, nodes: number): Promise<void> => {
    const zone: RunningZone = await up({ platform, folder, nodes })
    const names = Array.from({ length: nodes }, (_, index) => `node${index + 1}`)
    assert.equal(hostLines(zone), ['ood1', ...names].map((name) => `${name} serving 1`))
    assert.equal(await ownerOf(zone, platform, folder).list('devices'), [...names, 'ood1'])
    await zone.stop()
    rmSync(folder, { recursive: true })
  }

  test('killed as it is made, the same again completes it', async () => {
    const folder = newFolder()
    for (const point of ['after nodes/node1/device.key', 'before identity.json', 'step 4', 'node2 starting']) {
      await killed(folder, point, 2)
    }
    await whole(folder, 2)
  })

  test('killed as it grows, the same again completes it', async () => {
    const folder = newFolder()
    await (await up({ platform, folder })).stop()
    const files = ['after nodes/node1/device.key', 'after nodes/node1/identity.json']
    for (const point of [...files, 'registers', 'node1 starting']) await killed(folder, point, 1)
    await whole(folder, 1)
  })

  test('signed but not registered: without the owner key it says so', async () => {
    const folder = newFolder()
    await (await up({ platform, folder })).stop()
    await killed(folder, 'after nodes/node1/identity.json', 1)
    const refused = await refusalOf(up({ platform, folder, nodes: 1 }))
    assert.is(refused, 'OwnerKeyNeeded')
    const zone = await up({ platform, folder, nodes: 1, ownerKey: ownerKeyIn(folder)! })
    await zone.stop()
    await whole(folder, 1)
  })

  test.run()
}

/** Boots with so many nodes, with the owner key if there is one, and dies at that point. */
async function child(folder: string, point: string, nodes: number): Promise<void> {
  const trace = createTrace()
  trace.on('step', ({ sequence, number }) => {
    if (sequence === 'boot' && point === `step ${number}`) die()
  })
  trace.on('host', ({ host, state }) => {
    if (point === `${host} ${state}`) die()
  })
  const platform = await openPlatform()
  const ownerKey = ownerKeyIn(folder)
  await up({
    platform: dyingAt(platform, point), folder, nodes, trace, ...(ownerKey ? { ownerKey } : {}),
    onProgress: (one) => {
      // The transaction is on its way: it is there, or it is not
      const registers = one.type === 'owner-signs' && one.documents.length === 0
      if (registers && point === 'registers') void until(platform, 'never', () => false, 25).catch(die)
    },
  })
}

const [, , flag, folder = '', point = '', nodes = '0'] = process.argv
if (flag === CHILD) await child(folder, point, Number(nodes))
else defineTests(await openPlatform())
