import type { Change } from '../../../runtime/store/change.ts'
import type { Checks, Scene } from '../invariants.ts'

const CONFIG_STORE = /^(etcd\/)?ood1:.*\/system-config$/
const BOOT_CONFIG = 'kv/boot/config'
const PAIR = /^kv\/users\/owner\/sim\/(left|right)-(\d+)$/

export function bootConfigOnce({ broken }: Scene): Checks {
  let created: number | undefined
  let written = 0
  const check = ({ revision, writes }: Change): void => {
    const write = writes.find(({ key }) => key === BOOT_CONFIG)
    if (!write) return
    if (!write.entry) return broken(`it was deleted at revision ${revision}`)
    if (created === undefined) {
      created = write.entry.createRevision
      if (written > 0) broken(`it was created at revision ${revision}: the store was not empty`)
      if (writes.length < 2) broken('its transaction made nothing else')
    } else broken(`it was written again at revision ${revision}, and nobody showed a root token`)
  }
  return {
    commit(path, changes) {
      if (!CONFIG_STORE.test(path)) return
      for (const change of changes) {
        check(change)
        written += change.writes.length
      }
    },
  }
}

/** The desk writes pairs of keys, each pair in one transaction. */
export function transactionWhole({ broken }: Scene): Checks {
  return {
    commit(path, changes) {
      if (!CONFIG_STORE.test(path)) return
      for (const { writes, revision } of changes) {
        const sides = writes.map(({ key }) => PAIR.exec(key)).filter((found) => found !== null)
        if (sides.length % 2 !== 0) broken(`revision ${revision} holds half of pair ${sides[0]?.[2]}`)
      }
    },
  }
}

export function revisionsGrow({ broken }: Scene): Checks {
  const last = new Map<string, number>()
  return {
    commit(path, changes) {
      for (const { revision, writes } of changes) {
        const before = last.get(path) ?? 0
        // Those of etcd are the cluster's
        const fits = path.startsWith('etcd/') ? revision >= before : revision === before + (writes.length > 0 ? 1 : 0)
        if (!fits) broken(`${path} went from revision ${before} to ${revision}`)
        last.set(path, revision)
      }
    },
  }
}
