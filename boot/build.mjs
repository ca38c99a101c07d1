#!/usr/bin/env node
/**
 * Builds dist/ for Node, which cannot run TypeScript before 22. Deno runs the sources and never needs this.
 * Plain JavaScript, because it runs before anything is built.
 *
 *   node boot/build.mjs            runtime, actors and the command line
 *   node boot/build.mjs --tests    the same, and the tests
 *   node boot/build.mjs --bench    the same, and the benchmarks
 *   node boot/build.mjs --fresh    empties dist/ first, as `npm pack` does
 *
 * URLs: a module that is shared lands in dist/chunks/, where its `import.meta.url` would be the chunk's. So each
 * `import.meta.url` in our sources becomes the URL that the module has as a file of its own, `dist/<its path>.js`,
 * and `new URL('./x.ts', import.meta.url)` becomes `./x.js` there, made an entry point so that the file exists.
 */
import {
  existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync,
} from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const dist = join(root, 'dist')
const stamp = join(dist, 'build.json')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

export const product = { folders: ['runtime', 'transport', 'actors', 'boot'], entries: [
  /^runtime\/(index|worker-entry)\.ts$/,
  /^actors\/[^/]+\/(actor|boot-actor)\.ts$/,
  /^boot\/cli\.ts$/,
] }
export const tests = { folders: ['test'], entries: [
  /^test\/(.*\/)?[^/]+\.test\.ts$/,
  /^test\/(run|soak|tell-hooks)\.ts$/,
  /^test\/examples\/[^/]+\.ts$/,
] }
const bench = { folders: ['bench'], entries: [/^bench\/[^/]+\.ts$/, /^bench\/link\/zone\.ts$/] }

/**
 * Packages that are bundled, because opening their many files is most of a worker's start: certificates take 45 ms
 * bundled and 230 ms from node_modules. The others stay there: native code, or files that they look for at run time.
 */
const bundled = [
  '@peculiar/webcrypto', '@peculiar/x509', 'comlink', 'hash-wasm', 'jose', 'mitt', 'reflect-metadata', 'valibot',
  'yaml',
]
/**
 * yaml's build for Node is CommonJS; this one is the same code as ES modules. Of hash-wasm's only what is used is kept:
 * each worker reads it.
 */
const alias = {
  yaml: './node_modules/yaml/browser/index.js', 'hash-wasm': './node_modules/hash-wasm/dist/index.esm.js',
}

/** How long a chunk outlives the last build that used it: a process that is running may still import it. */
const chunkKeepMs = 3_600_000

const distMark = '__zonewright_dist__/'
const moduleUrl = '__moduleUrl'
/** `new URL('./x.ts', <base>)` */
export const sibling = base =>
  new RegExp(`new URL\\(\\s*(['"\`])(\\.{1,2}/[^'"\`\\n]+?)\\.ts\\1,\\s*${base}\\s*\\)`, 'g')

export const fromRoot = file => resolve(file).slice(root.length).replaceAll('\\', '/')

/** Sources below `folders`, as paths from the root with `/`. */
const sources = folders => folders.flatMap(folder => {
  let found = []
  try {
    found = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return found
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map(entry => fromRoot(join(entry.parentPath ?? entry.path, entry.name)))
    .filter(path => !path.includes('node_modules/'))
    .sort()
})

/** Entry points, and the modules that ask for their own URL. */
export const survey = sets => {
  const paths = sources(sets.flatMap(set => set.folders))
  const known = new Set(paths)
  const patterns = sets.flatMap(set => set.entries)
  const entries = new Set(paths.filter(path => patterns.some(pattern => pattern.test(path))))
  const placed = new Set()
  for (const path of paths) {
    const text = readFileSync(join(root, path), 'utf8')
    if (!text.includes('import.meta.url')) continue
    placed.add(path)
    for (const [, , relative] of text.matchAll(sibling('import\\.meta\\.url'))) {
      const target = posix.join(posix.dirname(path), `${relative}.ts`)
      if (known.has(target)) entries.add(target)
    }
  }
  return { entries: [...entries].sort(), placed }
}

/** Gives each module that asks for it the URL of its own file in dist/, wherever its code lands. */
export const ownUrls = (esbuild, { entries, placed }) => ({
  name: 'own-urls',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const path = fromRoot(file)
      return placed.has(path) ? withOwnUrl(esbuild, entries, path, readFileSync(file, 'utf8')) : undefined
    })
  },
})

export const withOwnUrl = async (esbuild, entries, path, text) => {
  // esbuild's parser, not a pattern, finds `import.meta.url`: text in strings and comments stays as it is.
  const transformed = await esbuild.transform(text, {
    loader: 'ts',
    sourcefile: join(root, path),
    sourcemap: 'inline',
    sourcesContent: false,
    define: { 'import.meta.url': moduleUrl },
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    logLevel: 'silent',
  }).catch(error => ({ errors: error.errors }))
  if (transformed.errors) return { errors: transformed.errors }
  const errors = []
  const rewritten = transformed.code.replace(sibling(moduleUrl), (_, quote, relative) => {
    const target = posix.join(posix.dirname(path), `${relative}.ts`)
    if (!entries.includes(target)) errors.push({ text: `No such module: ${target}`, location: { file: path } })
    return `new URL(${quote}${relative}.js${quote}, ${moduleUrl})`
  })
  const own = `${distMark}${path.replace(/\.ts$/, '.js')}`
  // On the first line, so that the source map keeps its lines.
  const contents = `const ${moduleUrl} = new URL('${own}', import.meta.url).href; ${rewritten}`
  return { contents, loader: 'js', errors }
}

const replaced = modules => ({
  name: 'replaced',
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir, kind }) => {
      const other = kind === 'entry-point' ? undefined : modules[fromRoot(join(resolveDir, path))]
      return other === undefined ? undefined : { path: join(root, other) }
    })
  },
})

/** Renames each file into place: a process that starts meanwhile never reads half a file. Entries come last. */
export const write = (outputs, dist) => {
  const isChunk = file => file.path.startsWith(join(dist, 'chunks'))
  const temporary = join(dist, `tmp-${process.pid}`)
  mkdirSync(temporary, { recursive: true })
  for (const file of [...outputs].sort((a, b) => Number(isChunk(b)) - Number(isChunk(a)))) {
    const depth = file.path.slice(dist.length + 1).split(/[\\/]/).length - 1
    mkdirSync(dirname(file.path), { recursive: true })
    const up = depth === 0 ? './' : '../'.repeat(depth)
    const contents = file.path.endsWith('.map') ? file.contents : file.text.replaceAll(distMark, up)
    writeFileSync(join(temporary, 'file'), contents)
    renameSync(join(temporary, 'file'), file.path)
  }
  rmSync(temporary, { recursive: true })
}

/** Removes what earlier builds of the same folders wrote and this one did not, and chunks that are long unused. */
const sweep = (dist, folders, written, now) => {
  for (const folder of [...folders, 'chunks']) {
    if (!existsSync(join(dist, folder))) continue
    for (const entry of readdirSync(join(dist, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      if (!entry.isFile() || written.has(path)) continue
      const info = statSync(path, { throwIfNoEntry: false })
      if (info && (folder !== 'chunks' || now - info.mtimeMs > chunkKeepMs)) rmSync(path, { force: true })
    }
  }
}

/**
 * The optional package that brings a current Node for the tests also puts a `node` into node_modules/.bin, which npm
 * puts first in the PATH of every script: `npm start` and `npm test` would not run on the user's own Node.
 */
const unshadowNode = () => {
  try {
    unlinkSync(join(root, 'node_modules/.bin/node'))
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
  }
}

const packages = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })

export const common = outdir => ({
  absWorkingDir: root,
  outbase: root,
  outdir,
  bundle: true,
  splitting: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  chunkNames: 'chunks/[name]-[hash]',
  alias,
  external: packages.filter(name => !bundled.includes(name)),
})

/**
 * @param {import('./build.d.mts').BuildOptions} options
 *   `sets`: what to build beside the product; `into`: a folder of dist/ for a build of its own, in which the modules
 *   that are keys of `replace` are those that it names (benchmarks compare such builds)
 * @returns {Promise<{ entries: number, ms: number }>}
 */
export const build = async ({ sets = [], fresh = false, into = '', replace = {} } = {}) => {
  const target = join(dist, into)
  const started = Date.now()
  const esbuild = await import('esbuild')
  const built = [product, ...sets.map(name => ({ tests, bench })[name])]
  const surveyed = survey(built)
  unshadowNode()
  if (fresh) rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  const { outputFiles } = await esbuild.build({
    ...common(target),
    entryPoints: surveyed.entries,
    sourcemap: 'linked',
    sourcesContent: false,
    plugins: [replaced(replace), ownUrls(esbuild, surveyed)],
    logLevel: 'warning',
  })
  await esbuild.stop()
  write(outputFiles, target)
  sweep(target, built.flatMap(set => set.folders), new Set(outputFiles.map(file => file.path)), started)
  if (into === '') writeFileSync(stamp, JSON.stringify({ startedMs: started }))
  return { entries: surveyed.entries.length, ms: Date.now() - started }
}

/** Whether a source of the product, or a folder that lost one, is newer than the last build. */
export const outdated = () => {
  let startedMs
  try {
    startedMs = JSON.parse(readFileSync(stamp, 'utf8')).startedMs
  } catch {
    return true
  }
  const paths = sources(product.folders)
  const folders = new Set([...paths.map(path => posix.dirname(path)), ...product.folders])
  const others = ['package.json', 'package-lock.json', 'tsconfig.json', 'boot/build.mjs']
  const newer = path => (statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0) >= startedMs
  return [...paths, ...folders, ...others].some(newer)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const known = ['--tests', '--bench', '--fresh']
  const unknown = process.argv.slice(2).find(flag => !known.includes(flag))
  if (unknown) {
    console.error(`Unknown option: ${unknown} (${known.join(', ')})`)
    process.exit(2)
  }
  const has = flag => process.argv.includes(flag)
  try {
    const { entries, ms } = await build({
      sets: ['tests', 'bench'].filter(name => has(`--${name}`)),
      fresh: has('--fresh'),
    })
    console.error(`dist: ${entries} entry points, ${ms} ms`)
  } catch (error) {
    // esbuild has printed its own errors with their places.
    if (!error.errors) throw error
    process.exit(1)
  }
}
