import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { RunningZone } from '../../boot/up.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { establish } from '../../runtime/link/handshake.ts'
import type { Base, Link } from '../../runtime/link/link.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import type { Client, Protocol } from '../../runtime/protocol.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims } from '../../runtime/trust/token.ts'
import { pause } from '../../runtime/within.ts'

export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'zonewright-cluster-'))

export const keyIn = (platform: Platform, folder: string, name = 'device.key'): SigningKey =>
  platform.keys.importPem(readFileSync(join(folder, name), 'utf8'))

/** Settles when it holds. @throws with `what` when it does not in time */
export async function until(platform: Platform, what: string, holds: () => boolean, msMax = 15_000): Promise<number> {
  const { clock } = platform
  const began = clock.monotonic()
  while (!holds()) {
    if (clock.monotonic() - began > msMax) throw new Error(`Not in time: ${what}`)
    await pause(clock, 5)
  }
  return clock.monotonic() - began
}

export const hostOf = (zone: RunningZone, name: string) => zone.hosts().find(({ host }) => host === name)

/** `node1 serving 2`: name, state, starts. */
export const hostLines = (zone: RunningZone): string[] =>
  zone.hosts().map(({ host, state, starts }) => `${host} ${state} ${starts}`)

/** By the owner, with a token of their own for each call. */
export function ownerOf(zone: RunningZone, platform: Platform, folder: string) {
  const token = (): string => {
    const iat = Math.floor(platform.clock.now() / 1000)
    return signToken(keyIn(platform, folder, 'owner.key'), {
      iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300,
      jti: toBase64url(platform.random.bytes(16)), token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
    })
  }
  return {
    get: (key: string) => zone.get(SystemConfig).get({ key }, { token: token() }),
    list: (key: string) => zone.get(SystemConfig).list({ key }, { token: token() }),
    tx: (actions: Parameters<Client<typeof SystemConfig>['execTx']>[0]['actions']) =>
      zone.get(SystemConfig).execTx({ actions }, { token: token() }),
  }
}

export interface Visit {
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  /** Signs the certificate. */
  readonly device: SigningKey
  /** What the certificate says, where that is not what was announced. */
  readonly claims?: { readonly host?: string }
  readonly offers?: readonly Base[]
}

/** Comes to an actor of the OOD as one of another host would, and tells how that went. */
export async function visit(
  zone: RunningZone, platform: Platform, callee: string, visitor: Visit,
): Promise<{ link: Link | undefined; refused: string; key: SigningKey }> {
  const { clock, keys, random } = platform
  const { host, actor, runtimeType, device, claims, offers = ['sealed'] } = visitor
  const incarnation = Math.floor(clock.now())
  const { end, incarnation: theirs, accepted } = zone.expose(callee, { host, actor, incarnation })
  const key = keys.generate(random)
  const named = { zone: zone.config.zone, host, actor, runtimeType, incarnation }
  const certificate = signLinkCertificate(device, {
    ...named, ...claims, key: key.public.jwk, exp: Math.floor(clock.now() / 1000) + 60,
  })
  const link = establish(platform.openChannel(end), {
    role: 'initiator', self: { ...named, key, certificate }, minimum: 'mac', offers, clock, keys, random,
    expect: { host: zone.config.host, actor: callee, incarnation: theirs },
    verifyCertificate: (text) => verifyLinkCertificate(text, {
      keys, zone: zone.config.zone, nowMs: clock.now(),
      device: () => ({ role: 'ood', key: zone.identity.device.public }), allows: () => true,
    }),
  })
  link.catch(() => {})
  try {
    await accepted
    return { link: await link, refused: '', key }
  } catch (error) {
    return { link: undefined, refused: error instanceof Error ? error.message : String(error), key }
  }
}

/** A client over that link; refusals are told by their reason. */
export function clientOver<P extends Protocol>(platform: Platform, protocol: P, link: Link): Client<P> {
  const caller = createCaller(protocol, platform)
  caller.attach(link, (error) => caller.close(error))
  return caller.client
}

export const refusalOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'allowed', (error: unknown) =>
  (error instanceof ZonewrightError ? `${error.code} ${String(error.details['reason'] ?? '')}`.trim() : String(error)))

export function loginToken(platform: Platform, by: SigningKey, claims: Partial<TokenClaims>): string {
  const iat = Math.floor(platform.clock.now() / 1000)
  return signToken(by, {
    iss: 'node1', sub: 'node1', aud: ['verify-hub'], iat, exp: iat + tokenLifetimeSeconds.login,
    jti: toBase64url(platform.random.bytes(16)), token_use: 'login', appid: 'node-daemon', runtime_type: 'node',
    epoch: 0, ...claims,
  })
}
