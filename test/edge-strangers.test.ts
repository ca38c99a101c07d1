/** 2,000 connections of strangers to a zone’s port, each opened again when it is cut: hosts come and go as ever. */
import { connect, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateFrom, createCertificates } from '../actors/uplink/certificate.ts'
import { openTrust } from '../actors/uplink/trust.ts'
import type { ActorStart } from '../runtime/actor.ts'
import { createMemoryStore } from '../runtime/store/memory.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { dial, joinNode } from './boot-fixtures/dialled.ts'
import { eventually } from './boot-fixtures/joined-hosts.ts'
import { joiningZone, platform } from './boot-fixtures/joining.ts'

const { clock, keys, random, transport } = platform
const STRANGERS = 2_000
/** As long as one may wait on a machine that does other work. */
const WITHIN_MS = 8_000

/** Holds so many, from four addresses, until it is told to stop. */
function strangers(port: number) {
  let over = false
  let opened = 0
  const held = new Set<Socket>()
  const all = new Set<Socket>()
  const open = (address: string): void => {
    if (over) return
    const socket = connect({ host: '127.0.0.1', port, localAddress: address })
    all.add(socket)
    socket.on('error', () => {}).on('connect', () => {
      opened++
      held.add(socket)
    }).on('close', () => {
      held.delete(socket)
      all.delete(socket)
      setTimeout(open, 500, address)
    })
  }
  for (let count = 0; count < STRANGERS; count++) open(`127.0.0.${2 + count % 4}`)
  return {
    get opened() { return opened },
    get held() { return held.size },
    stop() {
      over = true
      // Also those that are on their way: nobody would hear of their end
      for (const socket of all) socket.destroy()
    },
  }
}

test('a host connects, renews and joins while 2,000 connections of strangers are held', async () => {
  const zone = await joiningZone()
  const node = await joinNode(zone, 'node1')
  const made = await zone.token('node2')
  const crowd = strangers(zone.port)
  const took: Record<string, number> = {}
  const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const began = clock.monotonic()
    const done = await work
    took[what] = Math.round(clock.monotonic() - began)
    return done
  }
  try {
    await eventually('all have come', () => crowd.opened >= STRANGERS)
    const end = await timed('connect', dial(zone, { by: node.joined }))
    const start = {
      clock, keys, random, transport, stopping: new AbortController().signal,
      self: { zone: 'zone.local', host: 'node1' },
    } as unknown as ActorStart
    const trust = await openTrust({
      keys, clock, store: createMemoryStore(platform), zone: 'zone.local',
      start: { servers: [], roots: [...node.joined.roots], anchors: [], rootsVersion: 0 },
    })
    const server = { hostname: '127.0.0.1', port: zone.port }
    const certificates = createCertificates({ start, device: node.device, trust, role: 'node' })
    const first = certificateFrom(start, node.joined.tls.certificate, node.joined.tls.key)
    const next = await timed('renew', certificates.next(server, first))
    const again = await timed('without a certificate', certificates.again(server))
    await timed('join', zone.join(made, { device: keys.generate(random) }))
    assert.equal(new Set([first.serial, next.serial, again.serial]).size, 3)
    assert.ok(crowd.held > 0)
    for (const [what, ms] of Object.entries(took)) assert.ok(ms < WITHIN_MS, `${what}: ${ms} ms`)
    end.close('done')
  } finally {
    crowd.stop()
    await zone.stop()
    removeFolders()
  }
})

test.run()
