import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { withOpenVault } from './vault-http-fixture.ts'

test('a stock client initialises the vault, unseals it, and keeps a secret in it', () => withOpenVault(async ({ client }) => {
  const self = await client.tokenLookupSelf()
  assert.equal(self.data.policies, ['root'])
  const written = await client.write('secret/data/app/db', { data: { password: 'one', deep: { list: [1, null] } } })
  assert.is(written.data.version, 1)
  const read = await client.read('secret/data/app/db')
  assert.equal(read.data.data, { password: 'one', deep: { list: [1, null] } })
  assert.equal((await client.list('secret/metadata/')).data.keys, ['app/'])
  assert.is((await client.health() as { sealed: boolean }).sealed, false)
}))

test.run()
