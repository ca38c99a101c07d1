/**
 * A build of one test with another text in one source: how a guard is taken out. Production code has no switch for it.
 * Plain JavaScript, as boot/build.mjs is, whose plugins it uses: neither may be bundled.
 */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { common, dist, fromRoot, ownUrls, product, root, sibling, survey, tests, withOwnUrl, write }
  from '../../boot/build.mjs'

/** `change`: `{ path, from, to }` or undefined, asked for at each build. The text must be there once. */
const changed = (esbuild, { entries, placed }, change) => ({
  name: 'changed',
  setup(build) {
    let found = false
    build.onStart(() => {
      found = false
    })
    build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const { path, from, to } = change() ?? {}
      if (path === undefined || fromRoot(file) !== path) return undefined
      found = true
      const parts = readFileSync(file, 'utf8').split(from)
      if (parts.length !== 2) return { errors: [{ text: `${path} has this text ${parts.length - 1} times: ${from}` }] }
      const contents = parts.join(to)
      return placed.has(path) ? withOwnUrl(esbuild, entries, path, contents) : { contents, loader: 'ts' }
    })
    build.onEnd(() => {
      const { path } = change() ?? {}
      return path === undefined || found ? undefined : { errors: [{ text: `Nothing loads ${path}` }] }
    })
  },
})

const judging = {
  name: 'judging',
  setup(build) {
    const path = join(root, 'test/mutations/uvu.mjs')
    build.onResolve({ filter: /^uvu$/ }, ({ importer }) => (importer === path ? undefined : { path }))
  },
}

/**
 * Builds one module, with what it loads, into a folder of dist/, again and again with another text replaced in one
 * source: a few hundredths of a second each, because esbuild keeps what it has parsed.
 * @returns {Promise<import('./entry-build.d.mts').EntryBuild>}
 */
export const openEntry = async entry => {
  const esbuild = await import('esbuild')
  const surveyed = survey([product, tests])
  let change
  // What it loads by URL has to be built as well, and what that loads
  const entries = new Set([entry])
  const options = {
    ...common(dist),
    metafile: true,
    plugins: [judging, changed(esbuild, surveyed, () => change), ownUrls(esbuild, surveyed)],
    logLevel: 'silent',
  }
  for (let before = 0; before < entries.size;) {
    before = entries.size
    const { metafile } = await esbuild.build({ ...options, entryPoints: [...entries] })
    for (const path of Object.keys(metafile.inputs).filter(path => surveyed.placed.has(path))) {
      for (const [, , relative] of readFileSync(join(root, path), 'utf8').matchAll(sibling('import\\.meta\\.url'))) {
        entries.add(posix.join(posix.dirname(path), `${relative}.ts`))
      }
    }
  }
  const context = await esbuild.context({ ...options, entryPoints: [...entries] })
  return {
    async build(into, wanted) {
      change = wanted
      const { outputFiles } = await context.rebuild()
      // esbuild names files in the folder that it was opened for
      const placed = outputFiles.map(({ path, text }) => ({ path: join(dist, into, path.slice(dist.length)), text }))
      write(placed, join(dist, into))
    },
    close: () => context.dispose(),
  }
}
