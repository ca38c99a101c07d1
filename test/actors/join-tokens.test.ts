/** A join token turns into one certificate for one device, once; whatever else is tried with it is refused. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JoinRefused } from '../../actors/vault/protocol.ts'
import { InvalidArgument, LimitExceeded, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { asked, csrFor, device, joinable, makeToken, SERVER, type Vaulted } from './join-fixture.ts'
import { START, ZONE } from './pki-fixture.ts'

const refusal = async (run: () => Promise<unknown>): Promise<ZonewrightError> => {
  try {
    await run()
  } catch (error) {
    assert.instance(error, JoinRefused, String(error))
    return error as ZonewrightError
  }
  throw new Error('It was not refused')
}
const reasonOf = async (run: () => Promise<unknown>): Promise<unknown> => (await refusal(run)).details['reason']
const issued = async ({ pki }: Vaulted): Promise<number> =>
  (await pki.certificates.page(undefined, 1_000)).certificates.length
const refusals = async ({ tokens }: Vaulted): Promise<number[]> => (await tokens.list()).map((one) => one.refused)

test('a token is a secret of 256 bits that the vault does not keep', async () => {
  const vault = await joinable()
  const { token, record } = await vault.tokens.create({ host: 'node1', role: 'node', by: 'owner' })
  const [, id, secret = ''] = /^zwj_([0-9a-f]{20})_([\w-]{43})$/.exec(token)!
  assert.equal([record.id, record.state, record.createdBy], [id, 'open', 'owner'])
  assert.is(record.expiresAt - record.createdAt, limits.joinTokenSeconds * 1_000)
  const { value } = (await vault.barrier.readBytes(`join/tokens/${id}`))!
  const kept = new TextDecoder().decode(value)
  assert.not.ok(kept.includes(secret))
  assert.not.ok(JSON.stringify(await vault.tokens.list()).includes(secret))
})

test('a token has a host, the role of a node or an OOD, a range that is one, and an end within a day', async () => {
  const { tokens } = await joinable()
  const make = (more: object) => tokens.create({ host: 'node1', role: 'node', by: 'owner', ...more })
  for (const more of [
    { role: 'gateway' }, { role: 'root' }, { host: 'vault' }, { host: 'root' }, { host: '../x' }, { host: '' },
    { cidr: '10.0.0.0/33' }, { cidr: '10.0.0.1/24' }, { cidr: 'everywhere' },
    { ttlSeconds: 0 }, { ttlSeconds: limits.joinTokenSecondsMax + 1 },
  ]) {
    let failed: unknown
    await make(more).catch((error: unknown) => { failed = error })
    assert.instance(failed, InvalidArgument, JSON.stringify(more))
  }
  const { record } = await make({ cidr: '10.0.0.0/24', ttlSeconds: limits.joinTokenSecondsMax })
  assert.equal([record.cidr, record.expiresAt - record.createdAt], ['10.0.0.0/24', 86_400_000])
})

test('a device gets a certificate for its host, and the same bytes again for the same request', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const request = await asked(token, 'node1', device())
  const first = await vault.enrolling.enrol(request)
  assert.equal([first.retried, await issued(vault)], [false, 1])
  const leaf = parseCertificate(decodePem(first.certificate, 'CERTIFICATE'))
  const { extensions: { names, extendedKeyUsage }, notAfter } = leaf
  assert.equal(names, [{ type: 'uri', value: `spiffe://${ZONE}/node/node1` }])
  assert.ok(extendedKeyUsage?.includes('clientAuth'))
  assert.is(notAfter, START + limits.joinCertificateSeconds * 1_000)
  vault.clock.ms += 60_000
  const again = await vault.enrolling.enrol(request)
  assert.equal(again, { ...first, retried: true })
  assert.equal([await issued(vault), await refusals(vault)], [1, [0]])
  const [told] = await vault.tokens.list()
  assert.equal([told!.state, told!.serial, told!.usedAt], ['used', first.serial, START])
})

test('anyone else who has the token is refused and counted, and so is another request of the same device', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const mine = device()
  const request = await asked(token, 'node1', mine)
  await vault.enrolling.enrol(request)
  const thief = await asked(token, 'node1', device())
  const other = await asked(token, 'node1', mine)
  for (const one of [thief, thief, other]) assert.is(await reasonOf(() => vault.enrolling.enrol(one)), 'used')
  assert.equal([await refusals(vault), await issued(vault)], [[3], 1])
})

test('of many devices with one token at the same time one gets in, and the others have no certificate', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const requests = await Promise.all(Array.from({ length: 8 }, () => asked(token, 'node1', device())))
  const settled = await Promise.allSettled(requests.map((request) => vault.enrolling.enrol(request)))
  assert.is(settled.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal([await issued(vault), await refusals(vault)], [1, [7]])
})

test('strangers learn nothing: whatever is wrong with a token that nobody made, they are told the same', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const [, id] = token.split('_')
  const wrong = [
    'x', '', `zwj_${'0'.repeat(20)}_${'A'.repeat(43)}`, `zwj_${id}_${'A'.repeat(43)}`, `${token}x`, token.slice(0, -2),
    token.toUpperCase(),
  ]
  const told = new Set<string>()
  for (const one of wrong) {
    const { message, details } = await refusal(async () => vault.enrolling.enrol(await asked(one, 'node1', device())))
    told.add(JSON.stringify([message, details]))
  }
  assert.equal([...told], [JSON.stringify(['The join token is not known here', { reason: 'unknown' }])])
  assert.equal(await refusals(vault), [0])
})

test('an expired, a revoked and another host’s token give nothing, and use nothing up', async () => {
  const vault = await joinable()
  const short = await makeToken(vault, 'node1', { ttlSeconds: 10 })
  const revoked = await makeToken(vault, 'node2')
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(short, 'node2', device()))), 'host')
  vault.clock.ms += 10_000
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(short, 'node1', device()))), 'expired')
  await vault.tokens.revoke(revoked.split('_')[1]!)
  assert.is(await reasonOf(async () => vault.enrolling.enrol(await asked(revoked, 'node2', device()))), 'revoked')
  const states = (await vault.tokens.list()).map(({ host, state }) => `${host} ${state}`).sort()
  assert.equal([await issued(vault), states], [0, ['node1 expired', 'node2 revoked']])
})

test('what was given is given again only while token and certificate are unrevoked, and the token lives', async () => {
  const vault = await joinable()
  const [one, two, three] = [await makeToken(vault), await makeToken(vault, 'node2'), await makeToken(vault, 'node3')]
  const requests = [
    await asked(one, 'node1', device()), await asked(two, 'node2', device()), await asked(three, 'node3', device()),
  ] as const
  const given = await Promise.all(requests.map((request) => vault.enrolling.enrol(request)))
  await vault.pki.revocation.revoke(given[0]!.serial)
  await vault.tokens.revoke(given[1]!.token)
  assert.is(await reasonOf(() => vault.enrolling.enrol(requests[0])), 'revoked')
  assert.is(await reasonOf(() => vault.enrolling.enrol(requests[1])), 'revoked')
  vault.clock.ms += limits.joinTokenSeconds * 1_000 - 1
  assert.is((await vault.enrolling.enrol(requests[2])).serial, given[2]!.serial)
  vault.clock.ms += 1
  assert.is(await reasonOf(() => vault.enrolling.enrol(requests[2])), 'expired')
})

test('a request is good only from the device that signed it, to the server that it was signed for', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const [mine, thief] = [device(), device()]
  const request = await asked(token, 'node1', mine)
  const relayed = { ...request, server: 'of-the-relay' }
  const otherCsr = { ...request, csr: await csrFor('node1') }
  const otherToken = { ...request, token: await makeToken(vault) }
  const otherDevice = { ...request, device: (await asked(token, 'node1', thief)).device }
  const unsigned = [{ ...request, proof: '' }, { ...request, proof: 'AA' }]
  for (const one of [relayed, otherCsr, otherToken, otherDevice, ...unsigned]) {
    assert.is(await reasonOf(() => vault.enrolling.enrol(one)), 'proof')
  }
  const foreign = await asked(token, 'node1', mine, { zone: 'other.zone' })
  const renamed = await asked(token, 'node1', mine, { name: 'node2' })
  const cut = { ...request, device: request.device.slice(0, -4) }
  for (const one of [foreign, renamed, cut]) assert.is(await reasonOf(() => vault.enrolling.enrol(one)), 'device')
  assert.is(await issued(vault), 0)
  assert.is((await vault.enrolling.enrol(request)).retried, false)
  assert.is(SERVER, request.server)
})

test('a clock that is behind gets a certificate that has begun, by ten minutes at most, not a longer one', async () => {
  const vault = await joinable()
  const mine = device()
  const certificate = async (skewMs?: number): Promise<readonly [number, number]> => {
    const token = await makeToken(vault)
    const request = await asked(token, 'node1', mine, skewMs === undefined ? {} : { skewMs })
    const { notBefore, notAfter } = await vault.enrolling.enrol(request)
    return [notBefore, notAfter]
  }
  const [from, to] = await certificate()
  assert.equal(await certificate(300_000), [from - 300_000, to])
  assert.equal(await certificate(86_400_000), [from - 600_000, to])
})

test('the next certificate of a host is for the device that joined as it, while its last is unrevoked', async () => {
  const vault = await joinable()
  const mine = device()
  const token = await makeToken(vault)
  const first = await vault.enrolling.enrol(await asked(token, 'node1', mine))
  const renewal = async (serial: string, by = mine) => {
    const { token: _, ...request } = await asked(serial, 'node1', by)
    return { ...request, serial }
  }
  const second = await vault.enrolling.renew(await renewal(first.serial))
  assert.not.equal(second.serial, first.serial)
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(second.serial, device()))), 'device')
  const wrong = { ...await renewal(second.serial), serial: first.serial }
  assert.is(await reasonOf(() => vault.enrolling.renew(wrong)), 'proof')
  await vault.pki.revocation.revoke(second.serial)
  assert.is(await reasonOf(async () => vault.enrolling.renew(await renewal(second.serial))), 'revoked')
  assert.is(await issued(vault), 2)
})

test('there are as many tokens as the limit, and those long over give way to new ones', async () => {
  const vault = await joinable()
  for (let made = 0; made < 3; made++) await makeToken(vault, 'node1', { ttlSeconds: 1 })
  const [first] = await vault.tokens.list()
  const { value } = (await vault.barrier.readBytes(`join/tokens/${first!.id}`))!
  const more = Array.from({ length: limits.joinTokens - 3 }, (_, index) =>
    ({ path: `join/tokens/${String(index).padStart(20, '0')}`, value }))
  for (let at = 0; at < more.length; at += 100) await vault.barrier.commit([], more.slice(at, at + 100))
  let failed: unknown
  await makeToken(vault).catch((error: unknown) => { failed = error })
  assert.instance(failed, LimitExceeded)
  vault.clock.ms += 1_000 + limits.joinTokenKeptSeconds * 1_000
  await makeToken(vault).catch((error: unknown) => { failed = error })
  assert.is((await vault.tokens.list()).length, limits.joinTokens, 'kept for as long as the limit says')
  vault.clock.ms += 1
  await makeToken(vault)
  assert.is((await vault.tokens.list()).length, 1)
})

test('refusals of one token are counted up to the limit', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const found = () => vault.tokens.find(token)
  const { id, stored, revision } = await found()
  const value = { ...stored, refused: limits.joinTokenRefusals - 1 }
  const path = `join/tokens/${id}`
  await vault.barrier.commit([{ key: path, modRevision: revision }], [{ path, value }])
  for (let count = 0; count < 2; count++) await vault.tokens.refused(await found(), 'used', 'It was used')
  assert.equal(await refusals(vault), [limits.joinTokenRefusals])
})

test.run()
