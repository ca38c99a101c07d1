/**
 * What only adapters may touch, and which files are adapters. A simulation owns every port, so whatever goes around
 * the ports makes a run that no seed can repeat.
 */

interface Banned {
  readonly name: string
  readonly pattern: RegExp
  readonly instead: string
  /** Code that must be caught. */
  readonly planted: readonly string[]
}

/** A global by its bare name: not a property, not part of a longer name, not the key of a literal. */
const global = (names: string): RegExp => new RegExp(`(?<![\\w.$#])(?:${names})\\b(?!\\s*:)`, 'g')

export const banned: readonly Banned[] = [
  { name: 'Date', pattern: global('Date'), instead: 'Clock.now', planted: ['Date.now()', 'new Date()'] },
  {
    name: 'timers',
    pattern: global('setTimeout|setInterval|setImmediate|queueMicrotask'),
    instead: 'Clock.after or Clock.soon',
    planted: ['setTimeout(f, 1)', 'queueMicrotask(f)'],
  },
  {
    name: 'AbortSignal.timeout',
    pattern: /\bAbortSignal\s*\.\s*timeout\b/g,
    instead: 'Clock.after',
    planted: ['AbortSignal.timeout(5)'],
  },
  { name: 'performance', pattern: global('performance'), instead: 'Clock.monotonic', planted: ['performance.now()'] },
  { name: 'Math.random', pattern: /\bMath\s*\.\s*random\b/g, instead: 'Random', planted: ['Math.random()'] },
  {
    name: 'Math.exp, pow, log',
    pattern: /\bMath\s*\.\s*(?:exp|expm1|pow|log|log2|log10|log1p)\b/g,
    instead: 'integers: engines differ in the last digit',
    planted: ['Math.exp(1)', 'Math.log2(8)'],
  },
  {
    name: 'locale',
    pattern: /\.\s*(?:localeCompare|toLocale\w*)\b|(?<![\w.$#])Intl\b/g,
    instead: '< and >: locales differ between machines',
    planted: ['a.localeCompare(b)', 'n.toLocaleString()', 'new Intl.Collator()'],
  },
  {
    name: 'crypto',
    pattern: global('crypto'),
    instead: 'Keys or Random',
    planted: ['crypto.subtle', 'const { subtle } = crypto'],
  },
  { name: 'Deno', pattern: global('Deno'), instead: 'Host', planted: ['Deno.env.get(name)'] },
  { name: 'process', pattern: global('process'), instead: 'Host', planted: ['process.env.HOME', 'process?.exit()'] },
  { name: 'Buffer', pattern: global('Buffer'), instead: 'Uint8Array', planted: ['Buffer.from(text)'] },
  { name: 'fetch', pattern: /(?<![\w.$#])fetch\s*\(/g, instead: 'Transport', planted: ['await fetch(url)'] },
  {
    name: 'globalThis',
    pattern: global('globalThis'),
    instead: 'the ports: a way around every other row',
    planted: ["globalThis['Da' + 'te'].now()"],
  },
]

/** Found among a file's imports, not by a pattern. */
export const nodeModules = 'node:*'

interface Adapter {
  readonly files: RegExp
  /** Names of banned rows; all of them when absent. */
  readonly may?: readonly string[]
  readonly reason: string
}

export const adapters: readonly Adapter[] = [
  { files: /^runtime\/platform\//, reason: 'implements the ports' },
  { files: /^runtime\/store\/(embedded|etcd)[./]/, reason: 'implements the Store on a disk and on etcd' },
  { files: /^transport\/(tls|http)[^/]*\.ts$/, reason: 'implements channels and HTTP on sockets' },
  {
    files: /^runtime\/sim\/(keys|cheap-keys|random|disk|webcrypto)\.ts$/,
    may: [nodeModules, 'Buffer', 'crypto'],
    reason: "the simulator's own ports: synchronous node:crypto, never a thread pool",
  },
  {
    files: /^runtime\/sim\/schedule\.ts$/,
    may: [nodeModules, 'timers'],
    reason: 'drains microtasks by a macrotask, and hashes the trace',
  },
  { files: /^runtime\/sim\/divergence\.ts$/, may: [nodeModules], reason: 'compresses a trace, synchronously' },
  { files: /^runtime\/sim\/simulate\.ts$/, may: [nodeModules, 'process'], reason: 'notices unhandled rejections' },
  {
    files: /^runtime\/sim\/traps\.ts$/,
    may: [nodeModules, 'Date', 'Math.exp, pow, log', 'crypto', 'globalThis'],
    reason: 'puts the traps in their place',
  },
  { files: /^actors\/dns\/codec\.ts$/, may: ['Buffer'], reason: 'the package for DNS messages works on Buffers' },
  { files: /^boot\/(cli|terminal|person)\.ts$/, reason: 'arguments, signals, the screen and the exit code' },
  { files: /^boot\/backup\/disk\.ts$/, reason: 'copies files larger than memory, and only reads a running zone' },
  {
    files: /^boot\/observe\/https\.ts$/,
    may: [nodeModules, 'timers', 'Buffer'],
    reason: 'a collector that is reached by TLS',
  },
  { files: /^boot\/(build|bin)\.mjs$/, reason: 'run before anything is built' },
  { files: /^test\//, reason: 'tests act from outside' },
  { files: /^bench\//, reason: 'benchmarks measure real time' },
]
