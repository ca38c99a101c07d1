/** A zone on hosts of their own addresses: one is killed, one is cut off, and then all is as it should be. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { chaos } from './chaos/run.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { scheduleOf } from './chaos/schedule.ts'

test.after(() => removeFolders())

test('a node is killed and another cut off while the zone is in use: nothing is lost, and all is back', async () => {
  const said: string[] = []
  const report = await chaos({
    seed: 1, lastsMs: 0, oods: 1, nodes: 2, say: (line) => void said.push(line),
    schedule: ({ nodes: [first, second] }) => [
      { atMs: 1_000, forMs: 2_000, target: first!, what: { kind: 'kill' } },
      { atMs: 2_000, forMs: 6_000, target: second!, what: { kind: 'cut', way: 'both' } },
    ],
  })
  assert.equal(report.faults, [], said.join('\n'))
  assert.ok(report.acknowledged > 0)
  assert.ok(report.calls > report.callsFailed)
})

test('a seed draws the same strikes again, of members one at a time, and no host twice at a time', () => {
  const hosts = { oods: ['ood1', 'ood2'], nodes: ['node1', 'node2'], members: ['etcd1', 'etcd2', 'etcd3'] }
  for (let seed = 1; seed <= 50; seed++) {
    const strikes = scheduleOf({ seed, lastsMs: 300_000, ...hosts })
    assert.equal(scheduleOf({ seed, lastsMs: 300_000, ...hosts }), strikes)
    assert.ok(strikes.length > 15, `${strikes.length} strikes`)
    for (const [index, one] of strikes.entries()) {
      assert.ok(one.atMs + one.forMs < 300_000)
      const meets = strikes.slice(index + 1).filter(({ atMs }) => atMs < one.atMs + one.forMs)
      assert.ok(!meets.some(({ target }) => target === one.target), one.target)
      if (hosts.members.includes(one.target)) assert.ok(!meets.some(({ target }) => hosts.members.includes(target)))
    }
  }
})

test.run()
