/** Following a part of `kv://` that is more than one message holds, while it changes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { follow, type ConfigEvent } from '../../actors/follow.ts'
import { systemClock } from '../../runtime/platform/clock.ts'

test('what is there comes page by page, and no event tells again what a later page has told', async () => {
  const pages = [
    { items: [{ key: 'a/1', value: 'one', revision: 3 }], revision: 10, more: true },
    { items: [{ key: 'a/2', value: 'newest', revision: 12 }], revision: 13, more: true },
    { items: [{ key: 'a/3', value: 'three', revision: 4 }], revision: 13, more: false },
  ]
  const asked: string[] = []
  const watched: number[] = []
  const stopping = new AbortController()
  const event = (key: string, value: string, revision: number): ConfigEvent =>
    ({ type: 'put', key, value, revision }) as ConfigEvent
  const seen: string[] = []
  await follow({
    start: { clock: systemClock, log: { info() {}, warn() {}, error() {} }, stopping: stopping.signal },
    session: { token: () => 't' }, prefix: 'a/',
    systemConfig: {
      async dump({ page }: { page: { after: string } }) {
        asked.push(page.after)
        return pages[asked.length - 1]!
      },
      async* watch({ after }: { after: number }) {
        watched.push(after)
        yield event('a/2', 'older', 11)
        yield event('a/2', 'newest', 12)
        yield event('a/1', 'next', 13)
        yield event('a/2', 'after that', 14)
        stopping.abort()
      },
    } as never,
    onBegin: (items, revision) => void seen.push(`${items.map(({ value }) => value).join()} at ${revision}`),
    onEvent: ({ value }) => void seen.push(value),
  })
  assert.equal(asked, ['', 'a/1', 'a/2'])
  assert.equal(watched, [10], 'from the first page on')
  assert.equal(seen, ['one,newest,three at 10', 'next', 'after that'])
})

test.run()
