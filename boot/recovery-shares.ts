import { Vault } from '../actors/vault/protocol.ts'
import { NotFound } from '../runtime/errors.ts'
import { mayCrash } from '../runtime/fault-points.ts'
import type { Files } from '../runtime/platform/ports.ts'
import type { Supervisor } from '../runtime/supervisor.ts'
import { file } from './init.ts'

/** Shares of a vault that was made now, each in a file of its own; undefined when it was made before. */
export async function keepRecoveryShares(
  supervisor: Supervisor, files: Files, conceal: (share: string) => void,
): Promise<{ readonly path: string; readonly count: number } | undefined> {
  const shares = await takeShares(supervisor)
  if (!shares) return undefined
  await files.makeFolder(file.recoveryShares, { mode: 0o700 })
  for (const [index, share] of shares.entries()) {
    conceal(share)
    const name = `${file.recoveryShares}/share-${index + 1}.txt`
    await files.write(name, new TextEncoder().encode(`${share}\n`), { mode: 0o600 })
    mayCrash('boot/share-written')
  }
  return { path: files.path(file.recoveryShares), count: shares.length }
}

/** Given once, by the incarnation that made the vault. */
async function takeShares(supervisor: Supervisor): Promise<readonly string[] | undefined> {
  try {
    return (await supervisor.get(Vault).takeRecoveryShares({})).shares
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}
