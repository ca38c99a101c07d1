/**
 * What it costs a service to judge a session token: again, from what it remembers (ten thousand live tokens, some of
 * them asked for far more often than others, one in a hundred revoked meanwhile), and for the first time, against bare
 * Ed25519 of the same bytes. The enforcer is the services' own; system-config's end of its stream is played here.
 */
import process from 'node:process'
import { openEnforcer, type Enforcer } from '../actors/enforcement/enforcer.ts'
import type { Enforcement, SystemConfig } from '../actors/system-config/protocol.ts'
import { Denied } from '../runtime/errors.ts'
import type { Peer } from '../runtime/actor.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform, SigningKey } from '../runtime/platform/ports.ts'
import type { Client } from '../runtime/protocol.ts'
import { createMemoryStore } from '../runtime/store/memory.ts'
import { createDenialLog } from '../runtime/trust/denial.ts'
import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../runtime/trust/token.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

const LIVE = 10_000
const REVOKED = LIVE / 100
const ROUNDS = 5
const CACHED_PER_SECOND = 300_000
const UNCACHED_RATIO = 0.9
const APP = 'service'
const peer: Peer = {
  zone: 'bench', host: 'ood1', actor: 'caller', runtimeType: 'service', incarnation: 1, kid: 'caller',
}
const use = { method: 'greet', link: 'link' }

/** Processor time: what else runs on the machine does not count. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

const bench: Bench = async ({ seconds, say }) => {
  const platform = await openPlatform()
  const { keys, random } = platform
  const [root, hub] = [keys.generate(random), keys.generate(random)]
  const tokens = Array.from({ length: LIVE }, (_, index) => tokenOf(platform, hub, index))
  const ms = seconds * 1_000 / ROUNDS
  const first = await firstTime(platform, { root, hub, tokens, ms })
  say(`first time: ${Math.round(first.judged)} tokens/s, bare Ed25519 ${Math.round(first.bare)} checks/s`)
  const again = await cached(platform, { root, hub, tokens, ms: seconds * 1_000 })
  say(`again: ${Math.round(again.perSecond)} tokens/s; ${again.refused} refused as revoked, ${again.stale} stale`)
  if (again.stale > 0) throw new Error(`Accepted after their revocation was acknowledged: ${again.stale}`)
  const rows: Row[] = [
    { name: 'bare Ed25519 verification', value: first.bare, unit: 'checks/s' },
    {
      name: 'a token judged for the first time, against bare Ed25519', value: first.judged, unit: 'tokens/s',
      ratio: first.judged / first.bare, target: UNCACHED_RATIO,
    },
    {
      name: `a token judged again, ${LIVE} live, Zipf, 1 % revoked, against ${CACHED_PER_SECOND}`,
      value: again.perSecond, unit: 'tokens/s', ratio: again.perSecond / CACHED_PER_SECOND, target: 1,
    },
  ]
  return rows
}
export default bench

interface Given {
  readonly root: SigningKey
  readonly hub: SigningKey
  readonly tokens: readonly string[]
  readonly ms: number
}

function tokenOf({ clock, random }: Platform, hub: SigningKey, index: number): string {
  const iat = Math.floor(clock.now() / 1000)
  return signToken(hub, {
    iss: 'verify-hub', sub: `user-${index}`, aud: [APP, 'system-config'], iat, exp: iat + tokenLifetimeSeconds.session,
    jti: toBase64url(random.bytes(16)), token_use: 'session', appid: 'console', runtime_type: 'user',
    sid: sidOf(index), epoch: 0,
  })
}
const sidOf = (index: number): string => `session-${String(index).padStart(14, '0')}`

/** Each token once, by an enforcer that has seen none. */
async function firstTime(
  platform: Platform, { root, hub, tokens, ms }: Given,
): Promise<{ judged: number; bare: number }> {
  const key = platform.keys.importJwk(hub.public.jwk)
  const encoder = new TextEncoder()
  const signed = tokens.map((token) => {
    const end = token.lastIndexOf('.')
    return { input: encoder.encode(token.slice(0, end)), signature: fromBase64url(token.slice(end + 1))! }
  })
  const rate = async (each: (index: number) => unknown): Promise<number> => {
    const began = cpuMs()
    let count = 0
    while (cpuMs() - began < ms) for (let step = 0; step < 100; step++) each(count++ % LIVE)
    return count / (cpuMs() - began) * 1_000
  }
  const { judged, bare } = await interleaved(ROUNDS, {
    async judged() {
      // So many are not judged in one round; a machine that were so fast would judge some again
      const { enforcer, close } = await enforcing(platform, root, hub)
      const result = await rate((index) => enforcer.authenticate(tokens[index]!, peer, use))
      close()
      return result
    },
    bare: () => rate((index) => {
      if (!key.verify(signed[index]!.input, signed[index]!.signature)) throw new Error('The signature does not match')
    }),
  })
  return { judged, bare }
}

async function cached(platform: Platform, { root, hub, tokens, ms }: Given) {
  const { enforcer, revoke, close } = await enforcing(platform, root, hub)
  const pick = zipf(LIVE)
  const dead = new Set<number>()
  // Copies, so that each look-up has to hash the text, as it has to when it comes from a socket
  const fresh = (index: number): string => decoder.decode(bytes[index])
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const bytes = tokens.map((token) => encoder.encode(token))
  for (const token of tokens) await enforcer.authenticate(token, peer, use)
  let [count, refused, stale, spentMs] = [0, 0, 0, 0]
  const batch = 2_000
  const batches = Math.max(REVOKED, Math.ceil(ms / 1_000 * CACHED_PER_SECOND / batch))
  for (let round = 0; round < batches; round++) {
    const chosen = Array.from({ length: batch }, pick)
    const texts = chosen.map(fresh)
    const began = cpuMs()
    for (let index = 0; index < batch; index++) {
      try {
        void enforcer.authenticate(texts[index]!, peer, use)
        if (dead.has(chosen[index]!)) stale++
      } catch (error) {
        if (!(error instanceof Denied)) throw error
        refused++
      }
    }
    spentMs += cpuMs() - began
    count += batch
    // The lease is renewed in between
    await new Promise((resolve) => setTimeout(resolve, 0))
    if (round % Math.floor(batches / REVOKED) === 0 && dead.size < REVOKED) {
      const index = (dead.size * 97 + 50) % LIVE
      await revoke(sidOf(index))
      dead.add(index)
    }
  }
  close()
  return { perSecond: count / spentMs * 1_000, refused, stale }
}

/** By their rank: the first is asked for ten times as often as the tenth. */
function zipf(size: number): () => number {
  const sums: number[] = []
  let sum = 0
  for (let rank = 1; rank <= size; rank++) sums.push(sum += 1 / rank)
  let state = 1
  return () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0
    const at = state / 2 ** 32 * sum
    let [low, high] = [0, size - 1]
    while (low < high) {
      const middle = low + high >> 1
      if (sums[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** An enforcer, and the other end of its stream. */
async function enforcing(
  { keys, clock, random }: Platform, root: SigningKey, hub: SigningKey,
): Promise<{ enforcer: Enforcer; revoke(sid: string): Promise<void>; close(): void }> {
  const stopping = new AbortController()
  const boot = { zone: 'bench', root: root.public.jwk, verifyHub: [hub.public.jwk], epoch: 0 }
  const pending: Enforcement[] = [{
    lease: 'lease', sequence: 1, whole: true, boot: JSON.stringify(boot), rbac: { model: '', policy: '' }, revoked: [],
  }]
  let wake = (): void => {}
  let sequence = 1
  const acknowledged = new Map<number, () => void>()
  const systemConfig = {
    async *enforcement() {
      while (!stopping.signal.aborted) {
        const next = pending.shift()
        if (next) yield next
        else await new Promise<void>((resolve) => { wake = resolve })
      }
    },
    releaseLease: async () => ({}),
    async renewLease(asked: { sequence: number }) {
      acknowledged.get(asked.sequence)?.()
      return { granted: true }
    },
  } as unknown as Client<typeof SystemConfig>
  const enforcer = await openEnforcer({
    systemConfig, appid: APP, session: { token: () => '', renew: async () => {} },
    start: {
      keys, clock, store: createMemoryStore({ clock, random }), denials: createDenialLog({ random, clock }),
      stopping: stopping.signal, background: (task) => void task(), unbind: () => {},
      log: { info() {}, warn() {}, error() {} },
    },
  })
  return {
    enforcer,
    async revoke(sid) {
      const known = new Promise<void>((resolve) => acknowledged.set(++sequence, resolve))
      const until = Math.floor(clock.now() / 1000) + tokenLifetimeSeconds.session
      pending.push({ lease: 'lease', sequence, whole: false, boot: null, rbac: null, revoked: [{ sid, until }] })
      wake()
      await known
    },
    close() {
      stopping.abort()
      wake()
    },
  }
}
