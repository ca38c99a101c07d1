/** What a control plane tells of its hosts, by the real uplink and listener. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { signed } from '../boot-fixtures/dialled.ts'
import { eventually } from '../boot-fixtures/joined-hosts.ts'
import { platform } from '../boot-fixtures/joining.ts'
import { begin, documentsOf, end, joined, listener, uplink, warnings, zone } from '../boot-fixtures/uplinks.ts'

const { keys, random } = platform

test.before(begin)
test.after(end)

test('who says that it is no control plane any more is left; whom the owner has not signed for is not heard of',
  async () => {
    const { zoneDocument, oods } = joined.standing
    const other = signed(zone, 'ood9', 'ood', keys.generate(random).public.jwk)
    let told = JSON.stringify({ zoneDocument, oods: oods.map((document) => ({ document, servers: [] })) })
    const { tunnels, server } = await listener(true, async () => told)
    const hosts = await documentsOf()
    const connection = await uplink(server.port, undefined, { hosts })
    await eventually('it knows its hosts', () => hosts.names.join() === 'ood1')
    warnings.length = 0
    const forged = signDocument(keys.generate(random), deviceDocumentType, {
      zone: 'zone.local', name: 'ood9', role: 'ood', key: keys.generate(random).public.jwk, owner: 'owner', iat: 1,
    })
    told = JSON.stringify({ zoneDocument, oods: [{ document: forged, servers: ['10.6.6.6:1'] }] })
    await tunnels.tell()
    await eventually('it is not taken', () => warnings.some((one) => /of its hosts is not taken/.test(one)))
    assert.equal([hosts.names, hosts.servers, connection.state().state], [['ood1'], [], 'connected'])
    told = JSON.stringify({ zoneDocument, oods: [{ document: other, servers: ['127.0.0.1:9'] }] })
    await tunnels.tell()
    await eventually('it is left', () => connection.state().state !== 'connected')
    assert.match(connection.state().reason, /no host of the control plane any more/)
    assert.equal([hosts.names, hosts.servers], [['ood9'], ['127.0.0.1:9']])
    connection.close()
    await server.close(100)
  })

test.run()
