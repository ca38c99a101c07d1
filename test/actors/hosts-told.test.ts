/** How the daemon of a host learns of the others: by what changed, and by all of it only where it has to. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { tellingHosts } from '../../actors/node-daemon/hosts.ts'
import { deviceDocumentType, digestOfItems, kv } from '../../actors/records.ts'
import { KnownHosts } from '../../boot/known-hosts.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signDocument } from '../../runtime/trust/keys.ts'

const keys = await createCrypto()
const owner = keys.generate(systemRandom)
const documentOf = (name: string, iat = 1): string => signDocument(owner, deviceDocumentType, {
  zone: 'z1', name, role: 'node', key: owner.public.jwk, owner: 'alice', iat,
})

/** `kv://` with so many hosts, a process, and daemons of hosts in it; what each reads is counted. */
function world(count: number, pageItems = 100) {
  const stored = new Map(Array.from({ length: count }, (_, index) => {
    const name = `n${String(index).padStart(4, '0')}`
    return [kv.device(name), documentOf(name)] as const
  }))
  const sorted = () => [...stored].sort(([a], [b]) => (a < b ? -1 : 1))
  const read = { pages: 0, documents: 0 }
  let changesMost = 0
  const process = () => {
    const known = new KnownHosts(keys, { zone: 'z1', root: owner.public.jwk })
    const daemon = () => {
      let trusted: readonly string[] = []
      let parts: Record<string, string> = {}
      const trust = (devices: readonly { readonly host: string }[]) => { trusted = devices.map(({ host }) => host) }
      const told = tellingHosts({
        token: () => 't',
        systemConfig: {
          dumpDigest: async () => ({ digest: digestOfItems(keys, sorted()), revision: 1 }),
          async dump({ page }: { page: { after: string } }) {
            read.pages++
            const behind = sorted().filter(([key]) => key > page.after)
            const items = behind.slice(0, pageItems).map(([key, value]) => ({ key, value, revision: 1 }))
            read.documents += items.length
            return { items, revision: 1, more: behind.length > pageItems }
          },
        } as never,
        supervision: {
          async devices({ documents, offset = 0, more = false }: {
            documents: Record<string, string>; offset?: number; more?: boolean
          }) {
            parts = offset === 0 ? { ...documents } : { ...parts, ...documents }
            if (more) return { digest: '' }
            const { devices, digest } = known.read(parts)
            trust(devices)
            return { digest }
          },
          async devicesBefore({ digest }: { digest: string }) {
            const devices = known.before(digest)
            if (devices) trust(devices)
            return { known: devices !== undefined }
          },
          async devicesChanged({ from, put, gone }: { from: string; put: Record<string, string>; gone: string[] }) {
            changesMost = Math.max(changesMost, Object.keys(put).length + gone.length)
            const changed = known.change(from, put, gone)
            if (changed) trust(changed.devices)
            return { digest: changed?.digest ?? null }
          },
        } as never,
      })
      return { ...told, trusted: () => trusted }
    }
    return { daemon }
  }
  const put = (name: string, iat = 1) => {
    stored.set(kv.device(name), documentOf(name, iat))
    return { type: 'put' as const, key: kv.device(name), value: stored.get(kv.device(name))! }
  }
  const remove = (name: string) => {
    stored.delete(kv.device(name))
    return { type: 'delete' as const, key: kv.device(name), value: '' }
  }
  const names = () => sorted().map(([key]) => key.split('/')[1])
  return { process, put, remove, read, names, changesMost: () => changesMost }
}

test('of a thousand hosts one more is one document to each, and one less is none', async () => {
  const zone = world(1_000)
  const daemon = zone.process().daemon()
  await daemon.tell()
  assert.equal(daemon.trusted(), zone.names())
  assert.equal(zone.read, { pages: 10, documents: 1_000 })
  daemon.saw(zone.put('aaa'))
  await daemon.tell()
  daemon.saw(zone.remove('n0500'))
  daemon.saw(zone.put('n0501', 2))
  await daemon.tell()
  assert.equal(daemon.trusted(), zone.names())
  await daemon.tell()
  assert.equal(zone.read, { pages: 10, documents: 1_000 }, 'nothing was read again')
})

test('who missed a change, or was told another thing, reads all, and goes by what is there',
  async () => {
    const zone = world(150)
    const daemon = zone.process().daemon()
    await daemon.tell()
    zone.put('missed')
    daemon.saw(zone.put('seen'))
    await daemon.tell()
    assert.equal(daemon.trusted(), zone.names())
    assert.is(zone.read.pages, 4)
    daemon.saw({ type: 'put', key: kv.device('forged'), value: documentOf('forged') })
    zone.put('another')
    await daemon.tell()
    assert.equal(daemon.trusted(), zone.names())
    daemon.lost()
    zone.remove('another')
    await daemon.tell()
    assert.equal(daemon.trusted(), zone.names())
  })

test('hosts of one process share what one of them was told', async () => {
  const zone = world(150)
  const { daemon } = zone.process()
  const [first, second] = [daemon(), daemon()]
  await first.tell()
  await second.tell()
  assert.is(zone.read.pages, 2)
  const event = zone.put('more')
  for (const each of [first, second]) each.saw(event)
  await Promise.all([first.tell(), second.tell()])
  assert.equal([first.trusted(), second.trusted()], [zone.names(), zone.names()])
  assert.is(zone.read.pages, 2)
})

test('more changes than documents are remembered are no changes: all is read', async () => {
  const zone = world(3)
  const daemon = zone.process().daemon()
  await daemon.tell()
  const event = zone.put('n0001', 2)
  for (let count = 0; count <= limits.deviceDocuments; count++) daemon.saw({ ...event, key: `devices/x${count}/doc` })
  await daemon.tell()
  assert.equal(daemon.trusted(), zone.names())
  assert.is(zone.read.pages, 2)
  assert.ok(zone.changesMost() <= limits.deviceDocuments, `${zone.changesMost()}`)
})

test.run()
