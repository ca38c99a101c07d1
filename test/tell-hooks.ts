/**
 * uvu says nothing of a `before` or `after` that throws: the tests of its file are simply not passed. Loaded before
 * each test file, so that it is said. A worker loads what its process did, and has no tests.
 */
import { isMainThread } from 'node:worker_threads'
import type { test } from 'uvu'

type Hook = typeof test.before

const telling = (name: string, hook: Hook): Hook =>
  Object.assign((handler: Parameters<Hook>[0]) => hook(async (context) => {
    try {
      await handler(context)
    } catch (error) {
      console.error(`\n${name} failed:`, error)
      throw error
    }
  }), { each: hook.each })

if (isMainThread) {
  const { test: all } = await import('uvu')
  all.before = telling('before', all.before)
  all.after = telling('after', all.after)
}
