import nodeCrypto from 'node:crypto'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import zlib from 'node:zlib'
import { Nondeterminism } from './nondeterminism.ts'

type Callable = (...args: unknown[]) => unknown

const root = globalThis as unknown as Record<string, unknown>
const performanceType = Object.getPrototypeOf(root['performance']) as object

/** What no seed controls, by where it hangs; also functions whose last digit depends on the engine. */
const trapped: readonly (readonly [where: string, object: object, names: readonly string[]])[] = [
  ['', globalThis, [
    'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'WebSocket', 'Worker', 'MessageChannel', 'BroadcastChannel',
    'WeakRef', 'FinalizationRegistry',
  ]],
  ['performance.', performanceType, ['now']],
  ['Math.', Math, [
    'random', 'exp', 'expm1', 'log', 'log1p', 'log2', 'log10', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'atan2',
    'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'cbrt',
  ]],
  ['String.prototype.', String.prototype, ['localeCompare', 'toLocaleLowerCase', 'toLocaleUpperCase']],
  ['Number.prototype.', Number.prototype, ['toLocaleString']],
  ['Date.prototype.', Date.prototype, [
    'getTimezoneOffset', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString',
  ]],
  ['AbortSignal.', AbortSignal, ['timeout']],
  ['process.', root['process'] as object, ['hrtime', 'uptime', 'cpuUsage', 'memoryUsage']],
  ['Atomics.', Atomics, ['waitAsync']],
  ['WebAssembly.', root['WebAssembly'] as object, [
    'compile', 'instantiate', 'compileStreaming', 'instantiateStreaming',
  ]],
]

/**
 * What completes through a thread pool, as packages import it. Where the runtime keeps the named exports of a module
 * apart from its object (Deno), only what goes on afterwards is noticed, by the schedule.
 */
const pooled: readonly (readonly [where: string, module: object, names: readonly string[]])[] = [
  ['node:crypto ', nodeCrypto, [
    'scrypt', 'pbkdf2', 'hkdf', 'randomFill', 'generateKeyPair', 'generateKey', 'generatePrime', 'checkPrime',
  ]],
  ['node:dns ', dns, ['lookup', 'lookupService', 'resolve', 'resolve4', 'resolve6']],
  ['node:zlib ', zlib, ['deflate', 'inflate', 'gzip', 'gunzip', 'brotliCompress', 'brotliDecompress', 'deflateRaw']],
]

/** Packages that make a date of now as a default and put the given one in its place; they get the epoch. */
const overwritesItsDate = ['/@peculiar/asn1-x509/']

/**
 * Replaces them until the returned function is called. A trap throws, and also tells `onTrap`: code that swallows the
 * error has used it all the same. `crypto` takes the place of the global one.
 */
export function installTraps(crypto: object, onTrap: (error: Error) => void): () => void {
  const restore: (() => void)[] = []
  const replace = (object: object, name: string, value: unknown): void => {
    const original = Object.getOwnPropertyDescriptor(object, name)
    const enumerable = original?.enumerable ?? false
    Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable })
    restore.push(() => {
      if (original) Object.defineProperty(object, name, original)
      else Reflect.deleteProperty(object, name)
    })
  }
  const spring = (what: string, above: Callable): never => {
    const error = new Nondeterminism(`${what} is not for simulated code, use a port; called at ${callerOf(above)}`)
    onTrap(error)
    throw error
  }
  const trap = (what: string): Callable => function trapped() { return spring(what, trapped) }
  // On Deno zlib cannot be changed
  const modules = pooled.filter(([, module]) => Object.isExtensible(module))
  for (const [where, object, names] of [...trapped, ...modules]) {
    for (const name of names) {
      if (!(name in object)) continue
      // process.hrtime has a function of its own, bigint
      const inner = Object.keys((object as Record<string, object>)[name] ?? {})
      const traps = inner.map((each) => [each, trap(`${where}${name}.${each}`)] as const)
      replace(object, name, Object.assign(trap(`${where}${name}`), Object.fromEntries(traps)))
    }
  }
  replace(Math, 'pow', powerOfTwo(spring))
  replace(globalThis, 'Date', dateWithoutClock(spring))
  Object.defineProperty(crypto, 'randomUUID', { value: trap('crypto.randomUUID'), configurable: true })
  replace(globalThis, 'crypto', crypto)
  syncBuiltinESMExports()
  return () => {
    for (const undo of restore.reverse()) undo()
    syncBuiltinESMExports()
  }
}

/** The nearest stack frame outside `above`: function, file and line. */
function callerOf(above: Callable): string {
  const at: { stack?: string } = {}
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 10
  Error.captureStackTrace(at, above)
  Error.stackTraceLimit = stackTraceLimit
  return /^\s+at (.+)$/m.exec(at.stack ?? '')?.[1] ?? 'unknown'
}

type Spring = (what: string, above: Callable) => never

/** Powers of two are exact everywhere, and ASN.1 libraries compute them this way. */
function powerOfTwo(spring: Spring): Callable {
  const pow = Math.pow
  return function trapped(base, exponent) {
    return base === 2 && Number.isInteger(exponent) ? pow(2, exponent as number) : spring('Math.pow', trapped)
  }
}

/** A Date made of given numbers is a value, and certificates need it; one that reads the clock is not. */
function dateWithoutClock(spring: Spring): DateConstructor {
  const now = function trapped(): never { return spring('Date.now', trapped) }
  return new Proxy(Date, {
    apply: function trapped(): never { return spring('Date', trapped as Callable) },
    construct: function trapped(target, args: unknown[], newTarget) {
      if (args.length === 0) {
        const caller = callerOf(trapped as unknown as Callable)
        if (overwritesItsDate.some((path) => caller.includes(path))) return new target(0)
        spring('new Date', trapped as unknown as Callable)
      }
      return Reflect.construct(target, args, newTarget) as object
    },
    get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)) as unknown,
  })
}
