import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Speaker } from '../../actors/rbac/access.ts'

const alice: Speaker = { appid: 'panel', sub: 'alice', runtimeType: 'user', sudo: false, root: false }
const panel = 'g, panel, console\np, console, zone/*, read|write\np, console, auth://*, read|write\n'
const using = (lines: string) => {
  const access = createAccess()
  void access.replace({ model: '', policy: panel + lines })
  return (path: string): boolean => access.decide(alice, 'read', path).allowed
}

test('a folder is denied for what lies deep in it, also after keys of it were allowed', () => {
  const reads = using('p, alice, zone/*, read\np, alice, zone/a/b/secret, read, deny')
  assert.equal(['zone/a/x', 'zone/a/y', 'zone/a/b/x', 'zone/c/'].map(reads), [true, true, true, true])
  assert.equal(['zone/a/', 'zone/a/b/', 'zone/', 'zone/a/b/secret'].map(reads), [false, false, false, false])
  // And the key of a folder's name is not in it
  assert.equal(['zone/a/b/secret/', 'zone/a'].map(reads), [true, true])
  // No line names a key so deep: what was found for one is kept for its whole folder
  const deep = using('p, alice, zone/*, read\np, alice, zone/a/b/c/d/e/secret, read, deny')
  assert.equal(['zone/a/b/c/x', 'zone/a/b/c/'].map(deep), [true, false])
})

test('a star and a name in braces stand for no scheme, nor a folder of kv:// for what another scheme has', () => {
  const reads = using('p, alice, *, read\np, alice, {x}/*, read\np, alice, auth://x/*, read\n'
    + 'p, alice, auth://x/y/z, read, deny')
  assert.equal(['zone/x', 'kv://zone/x', 'zone/'].map(reads), [true, true, true])
  assert.equal(['auth://y', 'auth://sessions/alice', 'auth://', 'auth://x'].map(reads), [false, false, false, false])
  assert.equal(['auth://x/a', 'auth://x/y/a', 'auth://x/y/', 'auth://x/y/z'].map(reads), [true, true, false, false])
})

test.run()
