/** A real zone of two hosts, observed: its traces are whole trees across actors and hosts, its log has all hosts. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { parseExposition } from './exposition.ts'
import { inFolder, until, written } from './observe-fixture.ts'
import { collector, type ReceivedSpan } from './otlp-collector.ts'

const test = suite('an observed zone')

const parentOf = (span: ReceivedSpan, spans: readonly ReceivedSpan[]): ReceivedSpan | undefined =>
  spans.find(({ spanId, traceId }) => spanId === span.parentSpanId && traceId === span.traceId)

test('its spans are trees: a login is served by one actor, and what that reads by another', async () => {
  const to = await collector()
  try {
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'zone.yaml'), `telemetry: { otlp: "${to.url}" }\nnodes: 1\n`)
      const zone = await up({ platform: await openPlatform(), folder })
      let metrics = ''
      try {
        const hosts = zone.hosts().map(({ host }) => host)
        await until('spans of both hosts', () => hosts.every((host) =>
          to.spans.some(({ resource }) => resource['host.name'] === host)), 15_000)
        metrics = await (await fetch(`http://127.0.0.1:${zone.address.port}/metrics`)).text()
        assert.equal([...new Set((await written(folder)).map(({ host }) => host))].sort(), [...hosts].sort())
        const up = parseExposition(metrics).labelsOf('zonewright_actor_up').map(({ host }) => host)
        assert.equal([...new Set(up)].sort(), [...hosts].sort())
      } finally {
        await zone.stop()
      }
      assert.ok((parseExposition(metrics).value('zonewright_spans_exported_total') ?? 0) > 0)
    })
    assert.equal(to.faults, [])
    assert.is(new Set(to.spans.map(({ spanId }) => spanId)).size, to.spans.length, 'ids are different')
    // A stream ends with the zone, so what was called for it may have no parent here: calls that ended have theirs
    const logins = to.spans.filter(({ name }) => name === 'verify-hub/loginByJwt')
    assert.ok(logins.length > 0)
    for (const login of logins) {
      const reads = to.spans.filter((span) => parentOf(span, to.spans) === login)
      assert.ok(reads.length > 0, 'a login reads the configuration')
      for (const { name } of reads) assert.match(name, /^system-config\//)
    }
    const children = to.spans.filter(({ parentSpanId }) => parentSpanId !== undefined)
    const orphans = children.filter((span) => !parentOf(span, to.spans))
    assert.ok(orphans.length <= children.length / 20, orphans.map(({ name }) => name).join(', '))
  } finally {
    await to.close()
  }
})

test.run()
