import type { Change } from '../../../runtime/store/change.ts'
import type { Entry } from '../../../runtime/store/store.ts'
import type { Checks, Scene } from '../invariants.ts'

/** Where the store of system-config lies, as a commit names it. */
export const CONFIG_STORE = /^(etcd\/)?ood1:.*\/system-config$/
const BOOT_CONFIG = 'kv/boot/config'
const PAIR = /^kv\/users\/owner\/sim\/(left|right)-(\d+)$/

/** As the design has it; of the keys only what makes two of them different. */
interface Boot {
  readonly zone: string
  readonly root: { readonly x: string }
  readonly verifyHub: readonly { readonly x: string }[]
  readonly epoch: number
}

/** Behind a byte that says where its revision is kept. */
const readBoot = ({ value }: Entry): Boot => JSON.parse(new TextDecoder().decode(value.subarray(1))) as Boot

/** What the owner may change, and by what: the keys of verify-hub and the epoch, by a root token for each change. */
export function bootConfigByRoot({ broken }: Pick<Scene, 'broken'>): Checks {
  let last: { readonly entry: Entry; readonly boot: Boot } | undefined
  let written = 0
  let rootShown = false
  const created = (entry: Entry, { revision, writes }: Change): void => {
    if (written > 0) broken(`it was created at revision ${revision}: the store was not empty`)
    if (writes.length < 2) broken('its transaction made nothing else')
    if (readBoot(entry).verifyHub.length !== 1) broken('it was created with more than one key of verify-hub')
  }
  const changed = (entry: Entry, before: NonNullable<typeof last>, revision: number): void => {
    const no = (why: string): void => broken(`it was written again at revision ${revision}, ${why}`)
    if (!rootShown) no('and nobody showed a root token')
    if (entry.createRevision !== before.entry.createRevision) no('and made anew')
    const next = readBoot(entry)
    const keys = next.verifyHub.map(({ x }) => x)
    if (next.zone !== before.boot.zone || next.root.x !== before.boot.root.x) no('for another zone or owner')
    if (next.epoch < before.boot.epoch) no(`and its epoch went back to ${next.epoch}`)
    if (keys.length < 1 || keys.length > 2) no(`with ${keys.length} keys of verify-hub`)
    if (new Set([...keys, next.root.x]).size !== keys.length + 1) no('and one key has two purposes')
  }
  const check = (change: Change): void => {
    const write = change.writes.find(({ key }) => key === BOOT_CONFIG)
    if (!write) return
    const { entry } = write
    if (!entry) return broken(`it was deleted at revision ${change.revision}`)
    if (last) changed(entry, last, change.revision)
    else created(entry, change)
    last = { entry, boot: readBoot(entry) }
    rootShown = false
  }
  return {
    token({ rule }) {
      if (rule === 'system-config/normal/root') rootShown = true
    },
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
