import type { CertificateKeys } from './certificate-keys.ts'
import type { Transport } from './http-ports.ts'
import type { Machine, ProcessOptions, SpawnedProcess } from './process-ports.ts'

export type {
  HttpAnswer, HttpAsk, HttpCall, HttpConnection, HttpRequest, HttpResponse, HttpServer, HttpServerOptions, HttpTls,
  Transport,
} from './http-ports.ts'

/**
 * The six ports. Everything nondeterministic goes through one of them, so that the simulator can own it:
 * outside the adapters in this folder nothing calls `Date`, timers, `Math.random`, `crypto`, `node:*` or `Deno`.
 */

/** Ends a timer or a subscription. Calling it twice does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Wall time in milliseconds since the epoch; may jump. */
  now(): number
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number
  /** Runs `task` once after `delayMs`. A pending timer does not keep the process alive. */
  after(delayMs: number, task: () => void): Cancel
  /** Runs `task` as soon as what is ready now has run: where senders gather a batch. */
  soon(task: () => void): void
}

export interface Random {
  bytes(length: number): Uint8Array
  /** An independent stream; the same label of the same parent gives the same stream in simulation. */
  fork(label: string): Random
}

/** RFC 8037 public key. `kid` is its RFC 7638 thumbprint. */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
}

export interface VerifyKey {
  readonly kid: string
  readonly jwk: PublicJwk
  verify(message: Uint8Array, signature: Uint8Array): boolean
}

export interface SigningKey {
  readonly public: VerifyKey
  sign(message: Uint8Array): Uint8Array
  /** PKCS #8 PEM, encrypted when given a passphrase. For a file of mode 0600 or a sealed link, never for a log. */
  exportPem(passphrase?: string): string
}

/** One end of an X25519 agreement (RFC 7748). */
export interface Agreement {
  readonly publicKey: Uint8Array
  /** @throws Denied when the result is all zero (RFC 7748 §6.1). */
  agree(peerPublicKey: Uint8Array): Uint8Array
}

/** A keyed MAC over one frame; an object serves one direction of one link. */
export interface Mac {
  /**
   * 16-byte tag over `header` then `frame`; valid until the next call. A sender never gives two frames one header: its
   * 16 bytes end with the frame's sequence number.
   */
  tag(header: Uint8Array, frame: Uint8Array): Uint8Array
}

export interface Aead {
  /**
   * AES-256-GCM: returns ciphertext followed by the 16-byte tag. `nonce` has 12 bytes and is never reused. With `room`
   * there are so many bytes before it, which the caller writes.
   */
  seal(nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array, room?: number): Uint8Array
  /** Undefined when the tag does not match. */
  open(nonce: Uint8Array, ciphertext: Uint8Array, additional: Uint8Array): Uint8Array | undefined
}

/** Of scrypt (RFC 7914): N = 2^logN. It takes 128 · N · r bytes, p times over. */
export interface SlowHashCost {
  readonly logN: number
  readonly r: number
  readonly p: number
}

/**
 * All but `slowHash` and the making of certificate keys are synchronous: a hot path must not wait for a thread pool,
 * and a simulation cannot.
 */
export interface Keys {
  generate(random: Random): SigningKey
  /** @throws InvalidArgument when it is no such key, or encrypted and the passphrase is missing or wrong */
  importPem(pem: string, passphrase?: string): SigningKey
  importJwk(jwk: PublicJwk): VerifyKey
  agreement(random: Random): Agreement
  /** SHA-256. */
  hash(message: Uint8Array): Uint8Array
  /** HKDF-SHA-256 (RFC 5869). */
  derive(secret: Uint8Array, salt: Uint8Array, info: string, length: number): Uint8Array
  mac(key: Uint8Array): Mac
  aead(key: Uint8Array): Aead
  /** Constant time in the contents; false at once when lengths differ. */
  equal(left: Uint8Array, right: Uint8Array): boolean
  /** scrypt (RFC 7914); 32 bytes. */
  slowHash(password: Uint8Array, salt: Uint8Array, cost: SlowHashCost): Promise<Uint8Array>
  /** Keys of X.509 certificates. */
  readonly certificates: CertificateKeys
}

/** What crosses a channel: text on a `MessagePort` inside one process, bytes everywhere else. */
export type Frame = string | Uint8Array

export type ChannelKind = 'port' | 'memory' | 'tls' | 'tcp' | 'tunnel' | 'simulated'

/** Carries frames in order between two ends. It promises nothing about who is at the other end. */
export interface Channel {
  readonly kind: ChannelKind
  /** Never throws and never waits; after close it does nothing. */
  send(frame: Frame): void
  /** Called once, at once after creation. `onClose` runs at most once, and no frame follows it. */
  receive(onFrame: (frame: Frame) => void, onClose: (reason: string) => void): void
  /** Both ends see the close. */
  close(reason: string): void
}

export interface FileInfo {
  readonly name: string
  readonly directory: boolean
}

/** Paths are relative to the folder that was opened; `..` is refused. */
export interface Files {
  /** Absolute path (for messages) of a relative one. */
  path(name: string): string
  read(name: string): Promise<Uint8Array | undefined>
  /** Durable and atomic: temporary file, fsync, rename, fsync of the folder. */
  write(name: string, contents: Uint8Array, options: { mode: number }): Promise<void>
  /** Like `write`, but @throws AlreadyExists when the name is taken. */
  create(name: string, contents: Uint8Array, options: { mode: number }): Promise<void>
  /**
   * Adds to the end of the file, made if it is missing, and answers with its size. Durable only where that is asked
   * for. Of an append that fails nothing stays; of one that a crash cuts off the beginning may. `held`: the file stays
   * open for the next append to it, until one that fails, one to another file, or one that is not held.
   */
  append(
    name: string, contents: Uint8Array, options: { mode: number; durable?: boolean; held?: boolean },
  ): Promise<number>
  /** Replaces what has the new name. */
  rename(name: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  list(name: string): Promise<readonly FileInfo[]>
  makeFolder(name: string, options: { mode: number }): Promise<void>
  /** Permission bits, or undefined where there is no such file. */
  mode(name: string): Promise<number | undefined>
  /** Whether this absolute path leads to that very file, by whatever way; undefined where it leads to none. */
  isAt(name: string, path: string): Promise<boolean | undefined>
  /** An exclusive lock held until released or the process ends. @throws FolderInUse with the holder's process id. */
  lock(name: string): Promise<() => Promise<void>>
}

/** What this process takes of its machine. */
export interface ProcessUsage {
  readonly residentBytes: number
  /** JavaScript heap of the calling thread. */
  readonly heapBytes: number
  /** User and system time since its start. */
  readonly cpuSeconds: number
}

export interface Host {
  /** 'node 20.20.2', 'deno 2.9.6', 'simulator'. */
  readonly runtime: string
  readonly processId: number
  usage(): ProcessUsage
  /** @throws NotWritable */
  openFolder(path: string): Promise<Files>
  env(name: string): string | undefined
  /** Addresses of a host's name; none where it has none, or nobody can tell. */
  lookup(name: string): Promise<readonly string[]>
  /** Keeps the process alive until cancelled; timers and workers do not. */
  hold(): Cancel
  /** A new worker that runs `runtime/worker-entry`. */
  spawn(options: SpawnOptions): SpawnedWorker
  /** A worker may do what it was spawned for, and no more. */
  readonly restrictsWorkers: boolean
  /** A new process, leader of a process group of its own. @throws StartFailed when the command cannot be run */
  spawnProcess(options: ProcessOptions): Promise<SpawnedProcess>
  readonly machine: Machine
}

/**
 * What a worker may do where the runtime can enforce it (Deno). Absent means nothing, and nothing else can be given:
 * no environment, processes, native code or remote modules. It may always read the program, and what lies beside its
 * own modules.
 */
export interface WorkerPermissions {
  readonly read?: readonly string[]
  /** And read. */
  readonly write?: readonly string[]
  /** Hosts with their port: 'localhost:80', '[::1]:0'; without it, any port: '127.0.0.1'. '*': any host. */
  readonly net?: readonly string[]
}

export interface SpawnOptions {
  readonly name: string
  readonly permissions: WorkerPermissions
  /** Absolute URLs of the modules that it is to load. */
  readonly modules: readonly string[]
  readonly heapMbMax: number
}

/** A started worker, seen from its supervisor. */
export interface SpawnedWorker {
  readonly control: import('../worker.ts').WorkerControl
  /** Runs once: the worker threw outside an actor, exited, or was terminated. Some deaths raise no event. */
  onExit(listener: (reason: string) => void): void
  /** Trace events of its actors. */
  onEvent(listener: (event: import('../worker.ts').WorkerEvent) => void): void
  terminate(): Promise<void>
}

/** Opens the Store of one actor: `name` is a folder of an embedded store, or a key prefix elsewhere. */
export interface Stores {
  open(name: string): Promise<import('../store/store.ts').Store>
  /** Moves a store that is in use here: only where that is another kind of place than a folder. */
  take?(
    name: string, store: import('../store/movable.ts').MovableStore, options: import('../store/open.ts').MoveTo,
  ): Promise<import('../store/move/move.ts').Moved>
  /** What that would do. */
  probe?(name: string, source: { readonly id: string; readonly revision: number }):
    Promise<import('../store/open.ts').Probed>
}

/** What an adapter provides. */
export interface Platform {
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly host: Host
  readonly transport: Transport
  /** Two connected channel ends that can be handed to workers of this process. */
  channelPair(): readonly [unknown, unknown]
  /** The Channel over one such end, in the worker that received it. */
  openChannel(end: unknown): Channel
  stores(location: import('../store/location.ts').StoreLocation): Stores
}
