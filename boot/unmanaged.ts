import type { Processes } from '../runtime/process/processes.ts'
import type { ActorEvent, Trace } from '../runtime/trace.ts'

export interface UnmanagedOptions {
  readonly host: string
  readonly trace: Trace
  readonly processes: Pick<Processes, 'list' | 'stop'>
  /** Aborts when this start of the host is over. */
  readonly signal: AbortSignal
}

/**
 * A daemon that was given up hears no more of what is moved elsewhere: the programs of its host stop with it, as the
 * actors that need it do, until the host starts again.
 */
export function stopUnmanaged({ host, trace, processes, signal }: UnmanagedOptions): void {
  const stop = (event: ActorEvent): void => {
    if (event.host !== host || event.actor !== 'node-daemon' || event.state !== 'failed') return
    // Each tells of itself by the same trace
    for (const { name } of processes.list()) void Promise.resolve().then(() => processes.stop(name)).catch(() => {})
  }
  trace.on('actor', stop)
  signal.addEventListener('abort', () => trace.off('actor', stop), { once: true })
}
