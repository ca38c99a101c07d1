/**
 * Takes the lock of a folder again and again for as long as it is told, and tells how often it had it; while it has it,
 * nobody else may. `hold` takes it once and waits to be killed.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { FolderInUse } from '../../runtime/errors.ts'
import { openFolder } from '../../runtime/platform/files.ts'

const [folder = '', mode = ''] = process.argv.slice(2)
const files = await openFolder(folder)

if (mode === 'hold') {
  await files.lock('lock')
  console.log('held')
  setInterval(() => {}, 1_000)
} else {
  const end = Date.now() + Number(mode)
  let times = 0
  while (Date.now() < end) {
    try {
      const release = await files.lock('lock')
      times++
      const alone = await open(join(folder, 'alone'), 'wx')
      await alone.close()
      await rm(join(folder, 'alone'))
      await release()
    } catch (error) {
      if (!(error instanceof FolderInUse)) throw error
    }
  }
  console.log(String(times))
}
