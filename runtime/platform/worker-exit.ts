/** The end of a worker, told once to everybody who asks, before it or after it. */
export interface WorkerExit {
  /** Only the first reason counts. */
  died(reason: string): void
  onExit(listener: (reason: string) => void): void
}

export function workerExit(): WorkerExit {
  const listeners: ((reason: string) => void)[] = []
  let reason: string | undefined
  return {
    died(what) {
      if (reason !== undefined) return
      reason = what
      for (const listener of listeners) listener(what)
    },
    onExit(listener) {
      if (reason === undefined) listeners.push(listener)
      else listener(reason)
    },
  }
}
