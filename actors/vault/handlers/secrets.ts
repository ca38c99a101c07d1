import type { Area, VaultHandlers } from '../guarded.ts'

/** Secrets of actors, each below its own name. */
export function secretHandlers({ guarded }: Area): Pick<VaultHandlers, 'putSecret' | 'getSecret'> {
  const byPath = ({ path }: { readonly path: string }): string => path
  return {
    putSecret: guarded.open('putSecret', byPath, async ({ path, value, cas, only }, { vault, audit }) => {
      void audit({})
      return vault.secrets.put(path, value, cas, only ? 1 : undefined)
    }),
    getSecret: guarded.open('getSecret', byPath, ({ path }, { vault }) => vault.secrets.get(path)),
  }
}
