import { messageOf } from '../../../../runtime/errors.ts'
import { limits } from '../../../../runtime/limits.ts'
import type { Cancel, Clock } from '../../../../runtime/platform/ports.ts'
import type { TokenStore } from './store.ts'

export interface SweeperOptions {
  readonly clock: Clock
  readonly sealing: AbortSignal
  readonly warn: (message: string) => void
}

/** Takes expired tokens away when they are due. With no token that ends it does nothing, and no timer runs. */
export function createSweeper({ clock, sealing, warn }: SweeperOptions) {
  let timer: { readonly at: number; readonly cancel: Cancel } | undefined
  let running = false
  let store: TokenStore | undefined
  sealing.addEventListener('abort', () => timer?.cancel())

  const plan = (due: number): void => {
    if (sealing.aborted) return
    const now = clock.now()
    const at = Math.min(due, now + limits.vaultTokenSweepMs)
    if (timer && timer.at <= at) return
    timer?.cancel()
    timer = { at, cancel: clock.after(Math.max(0, at - now), () => void sweep()) }
  }
  const sweep = async (): Promise<void> => {
    timer = undefined
    if (running || !store || sealing.aborted) return
    running = true
    try {
      const { next } = await store.sweep()
      running = false
      if (next !== undefined) plan(next)
    } catch (error) {
      running = false
      if (sealing.aborted) return
      warn(`Expired tokens could not be taken away, and are tried again: ${messageOf(error)}`)
      plan(clock.now() + limits.vaultTokenSweepMs)
    }
  }
  return {
    /** From now on, and once at once. */
    async watch(of: TokenStore): Promise<void> {
      store = of
      await sweep()
    },
    /** A token ends then. */
    due: plan,
  }
}
