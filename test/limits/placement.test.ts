/** Limits of placement, and what a host's config may say for it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { meansEnv, meansIn } from '../../actors/node-daemon/means.ts'
import { kv, readRecord, ServiceSpec } from '../../actors/records.ts'
import { readConfig } from '../../boot/config.ts'
import { limits } from '../../runtime/limits.ts'

const labels = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'x']))
const yaml = (value: object): string => JSON.stringify(value)
const spec = (more: object): string => JSON.stringify({
  name: 's', appid: 's', owner: null, runtimeType: 'service', kernel: false, audiences: [], ...more,
})

test('a host and a service have as many labels as the limit, and no more', () => {
  const most = labels(limits.labels)
  assert.equal(readConfig(yaml({ labels: most }), 'f').config.labels, most)
  assert.equal(readRecord(ServiceSpec, kv.spec('s'), spec({ labels: most })).labels, most)
  const more = labels(limits.labels + 1)
  assert.throws(() => readConfig(yaml({ labels: more }), 'f'), /f:1: labels: expected a mapping of at most 32 names/)
  assert.throws(() => readRecord(ServiceSpec, kv.spec('s'), spec({ labels: more })), /wrong shape/)
})

test('labels are text and capacities whole numbers, and what is neither is refused at its line', () => {
  const refused = (text: string): string => {
    try {
      readConfig(text, 'f')
      return 'taken'
    } catch (error) {
      return (error as Error).message
    }
  }
  assert.is(refused('labels:\n  disk: ssd\n  room: 3\n'),
    'f:3: labels.room: expected text of letters, digits, ., _ and -, found 3')
  assert.is(refused('labels: { disk: "a b" }\n'),
    'f:1: labels.disk: expected text of letters, digits, ., _ and -, found "a b"')
  assert.match(refused('labels: { Disk: ssd }\n'), /^f:1: labels\.Disk: /)
  assert.match(refused('capacity: { memoryBytes: 1.5 }\n'), /^f:1: capacity\.memoryBytes: expected a whole number/)
  assert.match(refused('capacity: { disks: 1 }\n'), /^f:1: unknown key: capacity\.disks/)
})

test('what the config says of its host comes to its daemon as it is, and nothing where it says nothing', () => {
  const means = { labels: { disk: 'ssd' }, capacity: { memoryBytes: 1, processors: 150 } }
  assert.equal(meansIn(meansEnv(means)), means)
  assert.equal([meansEnv({ labels: {}, capacity: {} }), meansIn({})], [{}, {}])
  assert.throws(() => meansIn({ ZONEWRIGHT_LABELS: '{' }), /not right/)
})

test.run()
