import { limits } from '../../../runtime/limits.ts'
import type { Barrier } from '../barrier.ts'

/** Behind every key that begins with the folder. */
const LAST = '\u{10ffff}'

/**
 * Names right below a folder, folders with a slash at the end, in order. Of what lies in a folder no more is walked
 * than one page: the next look is behind it.
 */
export async function namesBelow(
  barrier: Barrier, prefix: string, { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<readonly string[]> {
  const names: string[] = []
  let behind = after === undefined ? undefined : prefix + (after.endsWith('/') ? after + LAST : after)
  for (;;) {
    const page = await barrier.list(prefix, {
      limit: limits.vaultListPage, ...(behind === undefined ? {} : { after: behind }),
    })
    for (const path of page.paths) {
      const rest = path.slice(prefix.length)
      const slash = rest.indexOf('/')
      const name = slash < 0 ? rest : rest.slice(0, slash + 1)
      if (names.at(-1) === name) continue
      if (names.length >= limit) return names
      names.push(name)
      behind = prefix + name + (slash < 0 ? '' : LAST)
    }
    if (!page.more) return names
  }
}
