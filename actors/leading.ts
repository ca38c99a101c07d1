import type { ActorStart } from '../runtime/actor.ts'
import { messageOf, Unavailable } from '../runtime/errors.ts'
import { lastingClock } from '../runtime/lasting.ts'
import { limits } from '../runtime/limits.ts'
import type { Cancel } from '../runtime/platform/ports.ts'
import type { Client, Infer } from '../runtime/protocol.ts'
import { deferred, pause } from '../runtime/within.ts'
import { hasExpired, type OwnSession } from './session.ts'
import { Fenced, type Led, type SystemConfig } from './system-config/protocol.ts'

type Transaction = Omit<Infer<typeof SystemConfig.methods.execTx.args>, 'fence'>

/** While an actor leads. */
export interface Term {
  readonly name: string
  /** Grows from leader to leader. */
  readonly term: number
  /** Aborts when it may be over: by this host's clock, or because another leads. */
  readonly signal: AbortSignal
  /** A transaction that goes through while the term lasts, and never after. @throws Fenced: the term is over */
  write(transaction: Transaction): Promise<{ readonly revision: number }>
}

export interface LeadingOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log' | 'stopping' | 'background' | 'gauge'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'lead' | 'resign' | 'execTx'>
  readonly session: Pick<OwnSession, 'token'>
  /** The actor's own. */
  readonly name: string
  /** What the leader does, until its term is over. An error ends the actor, unless the term is over. */
  readonly body: (term: Term) => Promise<void>
}

export interface Leading {
  /** Of this actor; undefined while it does not lead. */
  readonly term: Term | undefined
  /** As it was last heard of; an empty host: nobody. */
  readonly leader: Pick<Led, 'host' | 'term'>
  /** Settles when it was heard for the first time who leads. */
  readonly heard: Promise<void>
  /** For the actor's lifecycle: gives the term up, so that another leads at once. */
  stop(): Promise<void>
}

/** Another clock may be so much faster than ours. */
const CLOCK_RATE = 1.05

/**
 * Leads whenever nobody else does. The term counts from before it was asked for, by this host's own clock, which may
 * be slow: it is over here before it is over in the store.
 */
export function leading(options: LeadingOptions): Leading {
  const { start: { clock, log, stopping, background, gauge }, systemConfig, session, name, body } = options
  const lasting = lastingClock(clock)
  const heard = deferred<void>()
  /** Of the term, by the clock that lasts. */
  let endsMs = 0
  let leader: Leading['leader'] = { host: '', term: 0 }
  let current: Running | undefined
  let ended: Promise<void> = Promise.resolve()
  let wake = new AbortController()

  const end = (reason: string): void => {
    if (!current) return
    if (!stopping.aborted) log.info('It leads no more', { name, term: current.term.term, reason })
    gauge(`leads{name="${name}"}`, 0)
    current.end(reason)
    current = undefined
  }
  /** A machine that slept finds out here, and not by a timer that slept as well. */
  const expire = (): void => {
    if (endsMs <= lasting.monotonic()) end('it was not renewed in time')
  }
  const begin = (term: number): Running => {
    const running = createRunning(name, term, async (transaction, signal) => {
      const fence = { name, term }
      expire()
      if (signal.aborted) throw signal.reason
      try {
        return await systemConfig.execTx({ ...transaction, fence }, { token: session.token(), signal })
      } catch (error) {
        if (error instanceof Fenced && current === running) {
          end(error.message)
          wake.abort()
        }
        throw error
      }
    })
    log.info('It leads', { name, term })
    gauge(`leads{name="${name}"}`, 1)
    const { term: mine } = running
    // Of this actor one at a time: what the one before began is over
    const work = ended.then(() => (mine.signal.aborted ? undefined : body(mine))).catch((error: unknown) => {
      if (!mine.signal.aborted && !stopping.aborted) throw error
    })
    ended = work.catch(() => {})
    background(() => work)
    return running
  }
  const hold = ({ term, ttlMs }: Led, askedMs: number): void => {
    if (current && current.term.term !== term) end('another term has begun')
    endsMs = askedMs + ttlMs / CLOCK_RATE
    if (endsMs <= lasting.monotonic()) return end('it was renewed too late')
    current ??= begin(term)
    const running = current
    const watch = (): void => {
      if (current !== running) return
      expire()
      // A timer may be early
      const leftMs = Math.min(limits.clockLookMs, endsMs - lasting.monotonic())
      if (current === running) running.cancel = clock.after(Math.max(1, leftMs), watch)
    }
    running.cancel()
    watch()
  }
  const ask = async (): Promise<void> => {
    const askedMs = lasting.monotonic()
    const settings = { token: session.token(), signal: stopping, withinMs: limits.leaderLeaseMs }
    const led = await systemConfig.lead({ name }, settings)
    if (stopping.aborted) return
    leader = { host: led.host, term: led.term }
    if (led.leads) hold(led, askedMs)
    else end(`${led.host === '' ? 'nobody' : led.host} leads`)
    heard.resolve()
  }

  background(async () => {
    const stop = (): void => {
      wake.abort()
      end('it stops')
    }
    stopping.addEventListener('abort', stop, { once: true })
    let failures = 0
    while (!stopping.aborted) {
      wake = new AbortController()
      try {
        await ask()
        failures = 0
      } catch (error) {
        if (stopping.aborted) break
        if (!hasExpired(error) && failures++ === 0) log.warn(`Who leads is not known: ${messageOf(error)}`, { name })
      }
      await pause(clock, current && failures === 0 ? limits.leaderRenewMs : limits.leaderAskMs, wake.signal)
    }
    heard.reject(new Unavailable('It stops'))
  })
  return {
    get term() {
      expire()
      return current?.term
    },
    get leader() { return leader },
    heard: heard.promise,
    async stop() {
      await ended
      await systemConfig.resign({ name }, { token: session.token(), withinMs: limits.leaderAskMs }).catch(() => {})
    },
  }
}

interface Running {
  readonly term: Term
  cancel: Cancel
  end(reason: string): void
}

function createRunning(
  name: string, term: number, write: (transaction: Transaction, signal: AbortSignal) => Promise<{ revision: number }>,
): Running {
  const life = new AbortController()
  const over = (): Error => new Fenced(`The term is over: ${name} ${term}`, { name, term })
  const running: Running = {
    term: {
      name, term, signal: life.signal,
      async write(transaction) {
        if (life.signal.aborted) throw over()
        try {
          return await write(transaction, life.signal)
        } catch (error) {
          // Whether it went through is not known; by this term nothing does any more
          throw life.signal.aborted && !(error instanceof Fenced) ? over() : error
        }
      },
    },
    cancel: () => {},
    end(reason) {
      running.cancel()
      life.abort(new Fenced(`The term is over: ${reason}`, { name, term }))
    },
  }
  return running
}
