import type { Files } from '../../runtime/platform/ports.ts'

/** Written where it is not there as it is to be, or is there for others too. @returns whether it was */
export async function putFile(files: Files, name: string, text: string, mode: number): Promise<boolean> {
  const found = await files.read(name)
  if (found && new TextDecoder().decode(found) === text && ((await files.mode(name) ?? 0) & ~mode) === 0) return false
  await files.write(name, new TextEncoder().encode(text), { mode })
  return true
}
