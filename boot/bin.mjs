#!/usr/bin/env node
/**
 * `zonewright`, `rks` and `rkl`. In a checkout it builds first when a source changed; an installed package has its
 * sources for their types only, and runs what it was shipped with. The command line learns from argv[1] by which name
 * it was called.
 */
import { existsSync } from 'node:fs'

const [major] = process.versions.node.split('.').map(Number)
if (major < 20) {
  console.error(`Zonewright needs Node 20 or newer: this is ${process.versions.node}`)
  process.exit(1)
}

if (existsSync(new URL('../tsconfig.json', import.meta.url))) {
  const { build, outdated } = await import('./build.mjs')
  if (outdated()) {
    try {
      await build()
    } catch (error) {
      if (!error.errors) throw error
      process.exit(1)
    }
  }
}

await import(new URL('../dist/boot/cli.js', import.meta.url).href)
