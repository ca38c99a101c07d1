import { Buffer } from 'node:buffer'
import { Etcd3, type IOptions } from 'etcd3'
import {
  Compacted, Denied, InvalidArgument, LeaseExpired, LimitExceeded, messageOf, Unavailable, ZonewrightError,
} from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Clock } from '../../platform/ports.ts'
import { Members } from './members.ts'

/** PEM. The client's key and certificate, and the authority that signed the servers'. */
export interface EtcdCredentials {
  readonly authority: string
  readonly certificate: string
  readonly key: string
  /** The DNS name in the servers' certificates; needed where an endpoint is an IP address. */
  readonly serverName?: string
}

export type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>

/** Epoch milliseconds, as gRPC wants them. */
export interface CallOptions {
  readonly deadline: number
}

const pauseMs = 50
const ipAddress = /^https:\/\/(?:\d+(?:\.\d+){3}|\[)/

/** The client package, with its retries replaced by ours. */
export class Connection {
  readonly clock: Clock
  readonly endpoints: readonly string[]
  #open: Open
  #closed: Error | undefined

  /** Does not connect yet. @throws InvalidArgument */
  constructor(endpoints: readonly string[], credentials: EtcdCredentials | undefined, clock: Clock) {
    if (endpoints.length === 0) throw new InvalidArgument('etcd needs an endpoint')
    assertFit(endpoints, credentials)
    this.endpoints = endpoints
    this.clock = clock
    this.#open = { client: new Etcd3(clientOptions(endpoints, credentials, clock)), calls: 0 }
  }

  get client(): Etcd3 {
    return this.#open.client
  }

  /**
   * From now on calls go by new credentials. What is under way ends by the old ones; watches go on by the new ones.
   * @throws InvalidArgument
   */
  renew(credentials: EtcdCredentials): void {
    this.assertOpen()
    assertFit(this.endpoints, credentials)
    const old = this.#open
    this.#open = { client: new Etcd3(clientOptions(this.endpoints, credentials, this.clock)), calls: 0 }
    const close = (): void => {
      cancel()
      old.client.close()
    }
    const cancel = this.clock.after(limits.storeCallMs, close)
    old.onIdle = close
    if (old.calls === 0) close()
  }

  /**
   * A call that fails without an answer is done again only when that cannot do it twice: `repeatable` says that it may
   * be, or it was never sent. What may be repeated is given a part of the time, so that another member can be asked.
   * @throws Unavailable when whether it ran is not known
   */
  async call<T>(run: (options: CallOptions) => Promise<T>, { repeatable }: { repeatable: boolean }): Promise<T> {
    const end = this.clock.monotonic() + limits.storeCallMs
    for (;;) {
      this.assertOpen()
      const withinMs = repeatable ? Math.min(limits.etcdTryMs, end - this.clock.monotonic()) : limits.storeCallMs
      try {
        return await this.#counted(() => run({ deadline: this.clock.now() + Math.max(1, withinMs) }))
      } catch (error) {
        this.assertOpen()
        const answer = answered(error)
        if (answer) throw answer
        if (this.clock.monotonic() >= end || !(repeatable || neverSent(error))) {
          throw new Unavailable(`etcd did not answer at ${this.endpoints.join(', ')}: ${messageOf(error)}`)
        }
      }
      await this.pause(pauseMs)
    }
  }

  async #counted<T>(run: () => Promise<T>): Promise<T> {
    const open = this.#open
    open.calls++
    try {
      return await run()
    } finally {
      if (--open.calls === 0) open.onIdle?.()
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => { this.clock.after(ms, resolve) })
  }

  assertOpen(): void {
    if (this.#closed) throw this.#closed
  }

  /** @returns what every call fails with from now on */
  close(): Error {
    if (!this.#closed) {
      this.#closed = new Unavailable('The store is closed')
      this.client.close()
    }
    return this.#closed
  }
}

interface Open {
  readonly client: Etcd3
  /** Under way. */
  calls: number
  onIdle?: () => void
}

/** @throws InvalidArgument */
function assertFit(endpoints: readonly string[], credentials: EtcdCredentials | undefined): void {
  for (const endpoint of endpoints) {
    if (endpoint.startsWith('https://') !== (credentials !== undefined) || !/^https?:/.test(endpoint)) {
      throw new InvalidArgument(`An etcd endpoint is https:// with credentials and http:// without: ${endpoint}`)
    }
    // Deno and Node 26 refuse an IP address as the server's name (grpc-node#1919)
    if (ipAddress.test(endpoint) && !credentials?.serverName) {
      throw new InvalidArgument(`An etcd endpoint that is an IP address needs the server's DNS name: ${endpoint}`)
    }
  }
}

function clientOptions(endpoints: readonly string[], credentials: EtcdCredentials | undefined, clock: Clock): IOptions {
  const members = new Members(endpoints, clock)
  return {
    hosts: [...endpoints],
    ...(credentials && { credentials: {
      rootCertificate: Buffer.from(credentials.authority),
      certChain: Buffer.from(credentials.certificate),
      privateKey: Buffer.from(credentials.key),
    } }),
    grpcOptions: {
      // A frozen server is noticed. etcd allows a ping every 5 s unless it is told otherwise
      'grpc.keepalive_time_ms': 6_000,
      'grpc.keepalive_timeout_ms': 2_000,
      // A page or a transaction's events may be larger than the 4 MiB that gRPC takes
      'grpc.max_receive_message_length': -1,
      ...(credentials?.serverName && { 'grpc.ssl_target_name_override': credentials.serverName }),
    },
    // The package would repeat a write whose answer was lost, and a compare-and-set that won would say that it lost;
    // its circuit breaker would stay open for 5 s after a server is back
    faultHandling: { global: once, host: (host) => members.policy(host) },
    // The package gives calls no time limit of their own. A stream has none
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: clock.now() + limits.storeCallMs }),
  }
}

const once = {
  execute: async (run: (context: { signal: AbortSignal }) => unknown) => run({ signal: new AbortController().signal }),
} as unknown as Policy

/** grpc-js says this when no server took the call; we, when none was tried. */
const neverSent = (error: unknown): boolean =>
  /No connection established|Name resolution failed|is left alone/.test(messageOf(error))

/** What etcd answers, as our errors; undefined for what says nothing about the call. */
const answers: readonly (readonly [RegExp, (message: string) => Error])[] = [
  [/requested lease not found|lease .*expired|invalid lease/i, () => new LeaseExpired(
    'The lease has expired or was revoked')],
  [/required revision has been compacted/, () => new Compacted('etcd has forgotten the revision of this read')],
  [/too many operations/, () => new InvalidArgument(
    `etcd allows fewer operations in a transaction; start it with --max-txn-ops ${limits.transactionOperations}`)],
  [/request is too large|larger than max/, () => new InvalidArgument(
    'etcd allows less in one request; start it with a larger --max-request-bytes')],
  [/database space exceeded/, () => new LimitExceeded('etcd has no space left (its --quota-backend-bytes)')],
  [/permission denied|authentication|invalid auth token|user name is empty/i, (message) => new Denied(
    `etcd refused: ${message}`)],
]

function answered(error: unknown): Error | undefined {
  if (error instanceof ZonewrightError) return error
  const message = messageOf(error)
  return answers.find(([pattern]) => pattern.test(message))?.[1](message)
}
