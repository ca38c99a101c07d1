import { open } from 'node:fs/promises'

/** Without it a power cut could bring the old name of a file back. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
