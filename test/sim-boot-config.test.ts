/** The invariant of boot/config sees each change that nobody may make, and lets a rotation pass. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootConfigByRoot } from '../boot/sim/invariants/stores.ts'
import type { AcceptedToken } from '../runtime/fault-points.ts'
import type { Entry } from '../runtime/store/store.ts'

const STORE = 'ood1:/zone/stores/system-config'
const key = (x: string) => ({ kty: 'OKP', crv: 'Ed25519', x })
const boot = { zone: 'z', root: key('root'), verifyHub: [key('a')], epoch: 1 }

interface Made {
  readonly value?: object
  readonly root?: false
  readonly anew?: true
}

/** What is broken by these changes of the first one, each after a root token or without. */
function broken(...changes: readonly Made[]): string[] {
  const said: string[] = []
  const checks = bootConfigByRoot({ broken: (detail) => void said.push(detail) })
  let revision = 0
  const write = (value: object | undefined, created: number): void => {
    revision++
    const text = new TextEncoder().encode(JSON.stringify(value))
    const entry: Entry = {
      key: 'kv/boot/config', value: new Uint8Array([1, ...text]), createRevision: created, modRevision: revision,
      version: revision,
    }
    const beside = revision === 1 ? [{ key: 'kv/users/a', entry: { ...entry, key: 'kv/users/a' } }] : []
    const found = value === undefined ? undefined : entry
    checks.commit!(STORE, [{ revision, writes: [{ key: 'kv/boot/config', entry: found }, ...beside] }])
  }
  write(boot, 1)
  for (const { value, root = true, anew } of changes) {
    if (root) checks.token!({ rule: 'system-config/normal/root' } as AcceptedToken, 'ood1/system-config')
    write(value, anew ? revision + 1 : 1)
  }
  return said
}

const [both, next] = [{ ...boot, verifyHub: [key('a'), key('b')] }, { ...boot, verifyHub: [key('b')] }]

test('a rotation by root passes, and so does a higher epoch', () => {
  assert.equal(broken({ value: both }, { value: next }, { value: { ...next, epoch: 2 } }), [])
  assert.equal(broken({ value: both }, { value: boot }), [])
})

const rows: readonly (readonly [string, RegExp, readonly Made[]])[] = [
  ['without a root token', /nobody showed a root token/, [{ value: both, root: false }]],
  ['twice by one root token', /nobody showed a root token/, [{ value: both }, { value: next, root: false }]],
  ['made anew', /made anew/, [{ value: both, anew: true }]],
  ['deleted', /deleted/, [{}]],
  ['without a key', /with 0 keys/, [{ value: { ...boot, verifyHub: [] } }]],
  ['with three keys', /with 3 keys/, [{ value: { ...boot, verifyHub: [key('a'), key('b'), key('c')] } }]],
  ['with one key twice', /two purposes/, [{ value: { ...boot, verifyHub: [key('a'), key('a')] } }]],
  ['with the root key for verify-hub', /two purposes/, [{ value: { ...boot, verifyHub: [key('root')] } }]],
  ['with a lower epoch', /epoch went back to 0/, [{ value: { ...boot, epoch: 0 } }]],
  ['for another owner', /another zone or owner/, [{ value: { ...boot, root: key('other') } }]],
  ['for another zone', /another zone or owner/, [{ value: { ...boot, zone: 'y' } }]],
]

for (const [what, why, changes] of rows) {
  test(`a boot/config that is written ${what} is seen`, () => {
    const said = broken(...changes)
    assert.is(said.length, 1, said.join())
    assert.match(said[0]!, why)
  })
}

test.run()
