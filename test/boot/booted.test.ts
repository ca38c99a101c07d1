import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assertSameStore } from '../../boot/booted.ts'

const marker = { zone: 'zone.local', store: 'a', revision: 7 }
interface Found { readonly id: string; readonly revision: number }
const cases: readonly (readonly [what: string, store: Found, message: RegExp | undefined])[] = [
  ['the store of the marker is taken', { id: 'a', revision: 7 }, undefined],
  ['the store of the marker, later, is taken', { id: 'a', revision: 900 }, undefined],
  ['another store is refused', { id: 'b', revision: 900 }, /is not the one that this host has booted/],
  ['an older copy of the store is refused', { id: 'a', revision: 6 }, /is older than this host's boot: revision 6/],
]
for (const [what, store, message] of cases) {
  test(what, () => {
    let thrown: { code: string; message: string } | undefined
    try {
      assertSameStore(marker, store, '/zone/stores')
    } catch (error) {
      thrown = error as { code: string; message: string }
    }
    if (!message) return assert.is(thrown, undefined)
    assert.is(thrown?.code, 'ZoneStoreMismatch')
    assert.match(thrown?.message ?? '', message)
  })
}

test.run()
