/** A second OOD joins a zone whose stores lie in etcd: another process, from a folder of its own. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { file } from '../boot/init.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { platform } from './boot-fixtures/joining.ts'
import { oodZone, type OodZone } from './boot-fixtures/joining-oods.ts'
import { freePort } from './runtime/etcd-server.ts'

let zone: OodZone

test.before(async () => {
  zone = await oodZone()
})
test.after(async () => {
  await (zone as OodZone | undefined)?.end()
  removeFolders()
})

test('a host waits for the owner, and is an OOD with a folder of its own when it was approved', async () => {
  const made = await zone.token('ood2')
  const folder = await zone.folder('ood2')
  const told: string[] = []
  const joining = zone.join(made, folder, { onWaiting: (device) => void told.push(device) })
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(told, [folder.device.public.kid])
  const [request] = await zone.pending()
  assert.equal([request!.host, request!.device], ['ood2', folder.device.public.kid])
  await zone.accept('ood2', folder.device.public.jwk)
  const joined = await joining
  assert.is(joined.unsealKey, readFileSync(path(zone.joining.cwd, '.zone', file.unsealKey), 'utf8').trim())
  const port = await freePort()
  await folder.keep(joined, `127.0.0.1:${port}`)
  await folder.close()
  const files = readdirSync(folder.dir, { recursive: true }).map(String).sort()
  assert.ok(!files.includes(file.ownerKey))
  for (const name of files.filter((each) => /key$|json$/.test(each))) {
    assert.is(statSync(path(folder.dir, name)).mode & 0o777, 0o600, name)
  }
  assert.ok(!existsSync(path(folder.dir, 'joining.json')))
  console.log(files, platform.clock.now())
})

test.run()
