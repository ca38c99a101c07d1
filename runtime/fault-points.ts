/**
 * Places in production code at which a simulation may do what rarely happens by itself: let go of what is almost done,
 * lose an answer that has come, give up early. Outside a simulation nobody installs anything here, and each costs one
 * comparison. No configuration and no environment reaches them.
 */
export const faultPoints = {
  'link/frame-alone': 'a message leaves in a frame of its own instead of waiting for others',
  'link/closes': 'a link closes as it sends, as if its last frame had not fitted',
  'store/compacted': 'a watch finds that history no longer reaches back to where it starts',
  'store/overrun': 'a watch is told that its reader is too far behind',
  'session/refresh-now': 'a session is refreshed at once instead of at half of its life',
  'session/refresh-lost': 'the answer to a refresh came, and is taken for lost',
  'session/login-lost': 'the answer to a login came, and is taken for lost',
  'supervisor/beat-lost': 'a heartbeat was answered, and is not heard',
} as const

/** Places at which the thread, and with it its actor or its process, may end. */
export const crashPoints = {
  'vault/initialised': 'the vault is made, and nobody has its recovery shares yet',
  'vault/key-made': 'a key pair is stored, and not answered yet',
  'vault/rotated': 'the barrier has a new term, and nobody was told yet',
  'vault/rekeyed': 'the keyring is wrapped by a new root key, and nobody has its shares yet',
  'vault/re-encrypted': 'some old entries are sealed under the new term, others are not yet',
  'system-config/written': 'a transaction is durable, and not answered yet',
  'verify-hub/login-stored': 'a login is stored, and its pair not answered yet',
  'verify-hub/refresh-stored': 'a refresh token is rotated, and its pair not answered yet',
  'boot/keys-made': 'step 0 has its keys, and no identity yet',
  'boot/identity-written': 'step 0 is done, and nothing else',
  'boot/share-written': 'one recovery share is written',
  'boot/first-write-done': 'the boot transaction is done, and the host does not know it yet',
  'pems/signed': 'a certificate is signed and in the inventory, and in no file yet',
  'pems/key-written': 'the new key of a pair of files is written, and no certificate for it',
  'pems/pair-written': 'both new files of a pair are written, and neither is in its place',
  'pems/pair-half': 'the key of a pair is in its place, and its certificate is not',
  'pems/all-written': 'every file of `gen pems` is written, and that is not marked yet',
} as const

export type FaultPoint = keyof typeof faultPoints
export type CrashPoint = keyof typeof crashPoints

/** Something that was decided, for who checks it against a table of their own. */
export interface AcceptedToken {
  readonly type: 'token'
  readonly rule: string
  readonly keyReason: string
  readonly audience: string
  readonly nowSeconds: number
  readonly tokenUse: string
  readonly claims: {
    readonly iss: string; readonly sub: string; readonly aud: readonly string[]; readonly iat: number
    readonly exp: number; readonly jti: string; readonly appid: string; readonly runtimeType: string
    readonly sid: string | undefined
  }
}
export type Sighting = AcceptedToken

export interface Simulator {
  strikes(point: FaultPoint): boolean
  /** @throws when the thread has ended here */
  crash(point: CrashPoint): void
  saw(sighting: Sighting): void
}

let simulator: Simulator | undefined

/** For `runtime/sim` alone. @returns what takes it away again */
export function install(given: Simulator): () => void {
  if (simulator !== undefined) throw new Error('Another simulation has its fault points installed')
  simulator = given
  return () => void (simulator = undefined)
}

/** Whether what the point says happens now. */
export const strikes = (point: FaultPoint): boolean => simulator !== undefined && simulator.strikes(point)

/** Nothing, or the end of this thread: then it throws, since nothing more may happen here. */
export function mayCrash(point: CrashPoint): void {
  simulator?.crash(point)
}

export function saw(sighting: () => Sighting): void {
  simulator?.saw(sighting())
}
