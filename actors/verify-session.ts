import type { ActorStart, Authenticate } from '../runtime/actor.ts'
import type { Client } from '../runtime/protocol.ts'
import { allowedBy, deniedBy } from '../runtime/trust/denial.ts'
import { trustKeyOf } from '../runtime/trust/keys.ts'
import { burn } from '../runtime/trust/replay.ts'
import type { TrustKey } from '../runtime/trust/token.ts'
import { verifyToken } from '../runtime/trust/verify.ts'
import { limits } from '../runtime/limits.ts'
import { pause } from '../runtime/within.ts'
import { kv, readRecord } from './records.ts'
import { BootConfig, type SystemConfig } from './system-config/protocol.ts'
import { issuers, keyReason, rulesFor } from './trust-matrix.ts'

export interface SessionVerifierOptions {
  readonly start: Pick<ActorStart, 'keys' | 'clock' | 'store' | 'denials' | 'background' | 'stopping' | 'log'>
  readonly systemConfig: Client<typeof SystemConfig>
  /** The service's own session. */
  readonly token: () => string
  /** Also the audience that tokens must name. */
  readonly appid: string
}

/**
 * Seed: Service, review item 7. Accepts only what the two keys in `boot/config` signed, by the matrix row of a service;
 * a device key is never loaded here. Follows `boot/config`, so that a rotated key counts at once.
 */
export async function sessionVerifier({ start, systemConfig, token, appid }: SessionVerifierOptions): Promise<Authenticate> {
  const { keys, clock, store, denials, background, stopping, log } = start
  const rules = rulesFor('service', 'normal')
  let trusted: readonly TrustKey[] = []
  let epoch = 0
  const trust = (text: string): void => {
    const boot = readRecord(BootConfig, kv.bootConfig, text)
    trusted = [
      trustKeyOf(keys, boot.root, keyReason.root, issuers.root),
      ...boot.verifyHub.map((jwk) => trustKeyOf(keys, jwk, keyReason.verifyHub, issuers.verifyHub)),
    ]
    epoch = boot.epoch
  }
  const read = async (): Promise<number> => {
    const item = await systemConfig.get({ key: kv.bootConfig }, { token: token() })
    if (item) trust(item.value)
    return item?.revision ?? 0
  }
  let after = await read()

  background(async () => {
    while (!stopping.aborted) {
      try {
        for await (const event of systemConfig.watch({ prefix: kv.bootConfig, after }, { token: token(), signal: stopping })) {
          after = event.revision
          if (event.type === 'put' && event.key === kv.bootConfig) trust(event.value)
        }
      } catch (error) {
        if (stopping.aborted) return
        log.warn(`Following ${kv.bootConfig} failed: ${error instanceof Error ? error.message : String(error)}`)
      }
      await pause(clock, limits.convergeRetryMs, stopping)
      if (!stopping.aborted) after = await read().catch(() => after)
    }
  })

  return async (presented, peer) => {
    const nowSeconds = Math.floor(clock.now() / 1000)
    const verdict = await verifyToken(presented, {
      keys, rules, audience: appid, nowSeconds, epoch,
      trustKey: (kid, { iss }) => trusted.find((key) => key.kid === kid && key.issuer === iss),
      burn: (id, expSeconds) => burn(store, id, expSeconds, nowSeconds),
    })
    const linked = allowedBy('link', `link/${appid}`)
    if (!verdict.accepted) throw denials.denied([linked, deniedBy(verdict.denial)])
    const { claims, principal, rule } = verdict
    if (claims.cnf && claims.cnf.jkt !== peer.kid) {
      throw denials.denied([linked, deniedBy({ layer: 'token', reason: 'token/holder', rule: rule.id, detail: `sub ${claims.sub}` })])
    }
    return { ...principal, expires: claims.exp * 1000 }
  }
}
