import { Denied } from '../../runtime/errors.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { duration } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { APPID } from './session.ts'
import { isEncrypted, keyPlace, openKey, pathOf, readKey } from './user-key.ts'

/** What a person gives to `sudo`. */
export interface SudoOptions {
  /** Absolute path; undefined is the default place. */
  readonly key?: string
  readonly passphrase?: string
}

/** Signs one token a request: seed, sudo is for users only, by their own key. */
export interface Sudo {
  /** @throws SudoKeyNeeded, NotLoggedIn */
  token(audience: string): Promise<string>
}

export interface SudoParts {
  readonly terminal: Terminal
  readonly platform: Platform
  readonly scope: string
  /** Who is logged in. @throws NotLoggedIn */
  user(): Promise<string>
  /** Of the zone. */
  epoch(): Promise<number>
}

/** The key is read once, at the first request. */
export function openSudo({ key: given, passphrase }: SudoOptions, parts: SudoParts): Sudo {
  const { terminal, platform, scope } = parts
  const random = platform.random.fork('sudo tokens')
  let opened: Promise<SigningKey> | undefined
  const open = async (user: string): Promise<SigningKey> => {
    const path = given ?? pathOf(keyPlace(platform, scope, user))
    const next = `Make one: ${terminal.invocation} users key ${user} --owner-key FILE; or give its file with sudo --key`
    const pem = await readKey(terminal, path, { user, next })
    const asks = passphrase === undefined && isEncrypted(pem) && terminal.interactive
    const secret = asks ? await terminal.ask(`Passphrase of ${path}: `, { secret: true }) : passphrase
    return openKey(platform.keys, pem, path, secret)
  }
  return {
    async token(audience) {
      const user = await parts.user()
      const epoch = await parts.epoch()
      const key = await (opened ??= open(user))
      const iat = Math.floor(platform.clock.now() / 1000)
      return signToken(key, {
        iss: user, sub: user, aud: [audience], iat, exp: iat + tokenLifetimeSeconds.sudo,
        jti: toBase64url(random.bytes(16)), token_use: 'sudo', appid: APPID, runtime_type: 'user', epoch,
      })
    },
  }
}

/** How far a token may be from the future (`verify.ts`). */
const AHEAD_SECONDS = 60
/** Clocks that are not further apart explain no refusal; the Date of HTTP is in whole seconds. */
const CLOSE_MS = (AHEAD_SECONDS - 2) * 1000

/**
 * A token that was made just now is neither old nor of the future, unless the clocks differ.
 * @param zoneMs what the zone's clock showed, if its answer says; what the refusal itself tells goes before
 */
export function clockFault(error: unknown, nowMs: number, zoneMs: number | undefined): unknown {
  if (!(error instanceof Denied)) return error
  const { reason, skewSeconds, issuedAgoSeconds } = error.details
  if (reason !== 'token/expired' && reason !== 'token/not-yet-valid') return error
  const old = reason === 'token/expired'
  const told = old ? issuedAgoSeconds : skewSeconds
  const apartMs = typeof told === 'number' ? told * 1000 : zoneMs === undefined ? undefined : Math.abs(nowMs - zoneMs)
  // It took too long on its way, then, or the clock was set meanwhile
  if (apartMs !== undefined && apartMs < CLOSE_MS) return error
  const by = apartMs === undefined
    ? `at least ${duration((old ? tokenLifetimeSeconds.sudo : AHEAD_SECONDS) * 1000)}` : duration(apartMs)
  const side = old ? 'behind' : 'ahead of'
  return new Denied(`The clock of this machine is ${by} ${side} that of the zone: a token made now is refused`, {
    ...error.details, next: 'Set the clock of this machine, or that of the zone',
  })
}

/** The key that signed is not the one in `users/{name}/doc`, or there is none. */
export function otherKey(error: unknown, invocation: string): unknown {
  if (!(error instanceof Denied)) return error
  if (error.details['reason'] !== 'token/unknown-key') return error
  return new Denied('The zone knows no such key of yours for sudo', {
    ...error.details, next: `${invocation} users show NAME says which one; users key NAME makes another`,
  })
}
