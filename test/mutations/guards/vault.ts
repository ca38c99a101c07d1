/** The barrier, the seal, who is given what. */
import { guardsOf, type Guard } from '../guard.ts'

export const vault: readonly Guard[] = [
  ...guardsOf('actors/vault/seal/life.ts', 'test/actors/vault-shares.test.ts',
    [
      'recovery shares are given once', 'recoveryShares = undefined\n', '',
      'recovery shares are given once, by the start that made the vault',
    ],
  ),
  ...guardsOf('actors/vault/actor.ts', 'test/actors/vault.test.ts',
    [
      'who links to the vault has a row', 'return allowed\n', 'return true\n',
      'every peer is denied every method that the policy does not name for it',
    ],
  ),
  ...guardsOf('actors/vault/guarded.ts', 'test/actors/vault.test.ts',
    [
      'every method asks the policy', 'if (rule === undefined) throw refusal(', 'if (false) throw refusal(',
      'every peer is denied every method that the policy does not name for it',
    ],
  ),
  ...guardsOf('actors/vault/handlers/keys.ts', 'test/actors/vault.test.ts',
    [
      'a key is read once', 'if (key === undefined) throw refuse(', 'if (false && key === undefined) throw refuse(',
      'verify-hub reads its private key once per incarnation, also when the vault restarted in between',
    ],
  ),
  ...guardsOf('actors/vault/barrier.ts', 'test/actors/vault.test.ts',
    [
      'a secret is sealed for its path', 'const record = sealRecord(terms.current, nonces, path, plaintext)',
      "const record = sealRecord(terms.current, nonces, '', plaintext)",
    ],
  ),
  ...guardsOf('actors/vault/init.ts', 'test/actors/vault.test.ts',
    [
      'of two that make a vault one makes it',
      'operations.map(({ key }) => ({ key, modRevision: 0 })), operations,', '[], operations,',
      'many starts that make the vault at once serve one vault, and only the winner holds recovery shares',
    ],
    [
      'a host that has booted finds its vault', 'if (isEmpty && booted) throw', 'if (false) throw',
      'a host that has booted its zone makes no second vault in a store that was emptied',
    ],
  ),
  ...guardsOf('actors/vault/named-keys.ts', 'test/actors/vault.test.ts',
    [
      'an incarnation is given a key once', 'if (given) return undefined', '',
      'verify-hub reads its private key once per incarnation, also when the vault restarted in between',
    ],
    [
      'a grant is durable before the answer',
      'if (await barrier.commit([guard], [{ path: grantsPath(name), value: { grants } }])) {', 'if (guard) {',
      'verify-hub reads its private key once per incarnation, also when the vault restarted in between',
    ],
    [
      'of two grants one waits for the other',
      'if (await barrier.commit([guard], [{ path: grantsPath(name), value: { grants } }])) {',
      'if (await barrier.commit([], [{ path: grantsPath(name), value: { grants } }])) {',
      'verify-hub reads its private key once per incarnation, also when the vault restarted in between',
    ],
    [
      'of two that make a key one makes it',
      'const created = await write(name, { key: keyPath(name), modRevision: 0 }, [version])',
      `const created = await barrier.commit([], [
        { path: keyPath(name), value: { type: 'ed25519', versions: [version] } },
      ])`,
      'many starts that make the vault at once serve one vault, and only the winner holds recovery shares',
    ],
  ),
  ...guardsOf('actors/vault/policy.ts', 'test/actors/vault.test.ts',
    [
      'a policy row is of one actor', '&& peer.actor === rule.actor', '',
      'every peer is denied every method that the policy does not name for it',
    ],
    [
      'a policy row is of one runtime type', '&& peer.runtimeType === rule.runtimeType', '',
      'every peer is denied every method that the policy does not name for it',
    ],
    [
      'a policy row is of this zone', 'peer.zone === self.zone', "peer.zone !== ''",
      'every peer is denied every method that the policy does not name for it',
    ],
    [
      'a policy row is of this host', "(rule.host === 'any' || peer.host === self.host)",
      "(rule.host === 'any' || peer.host !== '')",
      'every peer is denied every method that the policy does not name for it',
    ],
    [
      'a policy row is of its methods', '&& rule.methods.includes(method)', '',
      'every peer is denied every method that the policy does not name for it',
    ],
    [
      'a policy row is of its resource',
      `(rule.resource === '*' || (rule.resource.endsWith('/')
      ? resource.startsWith(rule.resource)
      : resource === rule.resource))`,
      "resource !== ''", 'every peer is denied every method that the policy does not name for it',
    ],
  ),
  ...guardsOf('actors/vault/record.ts', 'test/actors/vault-damage.test.ts',
    [
      'an entry that was changed does not open',
      "if (plaintext === undefined) throw damaged(path, 'it was changed or moved since it was written')",
      'if (plaintext === undefined) return record.subarray(CIPHERTEXT_AT)',
      'a record with any one byte changed is refused as damaged, by its path',
    ],
    [
      'an entry has this version', 'if (record[VERSION_AT] !== VERSION) throw', 'if (false) throw',
      'a record with any one byte changed is refused as damaged, by its path',
    ],
    [
      'an entry is of a key that is there', 'if (aead === undefined) throw damaged(path, `the keyring',
      'if (aead === undefined) return record\n  if (false) throw damaged(path, `the keyring',
      'a record with any one byte changed is refused as damaged, by its path',
    ],
  ),
  ...guardsOf('actors/vault/record.ts', 'test/actors/vault.test.ts',
    [
      'an entry opens where it was written',
      'record.subarray(NONCE_AT, CIPHERTEXT_AT), record.subarray(CIPHERTEXT_AT), additionalOf(path),',
      'record.subarray(NONCE_AT, CIPHERTEXT_AT), record.subarray(CIPHERTEXT_AT), new Uint8Array(0),',
    ],
  ),
  ...guardsOf('actors/vault/secrets.ts', 'test/actors/vault.test.ts',
    [
      'a secret is compared with its version', 'if (cas !== undefined && cas !== current) {', 'if (false) {',
      'a secret is versioned, and a put with the wrong version changes nothing',
    ],
    [
      'of two writers of a secret one waits', 'if (await barrier.commit([guard], changes)) return { version: next }',
      'if (await barrier.commit(guard ? [] : [], changes)) return { version: next }',
      'a secret is versioned, and a put with the wrong version changes nothing',
    ],
    [
      'a secret path stays in its folder', 'if (!wellFormed || path.length > limits.vaultSecretPath) {',
      'if (path.length > limits.vaultSecretPath) {', 'a secret path that is not plain segments is refused',
    ],
    [
      'a secret path is not too long', 'if (!wellFormed || path.length > limits.vaultSecretPath) {',
      'if (!wellFormed) {', 'a secret path that is not plain segments is refused',
    ],
  ),
  ...guardsOf('actors/vault/shamir.ts', 'test/actors/vault-shares.test.ts',
    [
      'a share is given once', 'if (new Set(xs).size !== xs.length) throw', 'if (false) throw',
      'Shamir: impossible numbers and shares that cannot belong together are refused',
    ],
    [
      'no share is the secret itself', 'if (xs.includes(0)) throw', 'if (false) throw',
      'Shamir: impossible numbers and shares that cannot belong together are refused',
    ],
  ),
  ...guardsOf('actors/vault/unseal.ts', 'test/actors/vault-damage.test.ts',
    [
      'the seal is the one of the keyring',
      'if (keyring.vaultId !== vaultId || keyring.shares !== config.shares || keyring.threshold !== threshold) {',
      'if (false) {', 'a changed seal configuration opens nothing',
    ],
    [
      'an unseal key has 32 bytes', 'if (key.length !== keyBytes) throw', 'if (false) throw',
      'no vault is made with an unseal key of another length than a key has',
    ],
  ),
  ...guardsOf('actors/vault/unseal.ts', 'test/actors/vault-shares.test.ts',
    [
      'the shares are those of this vault', "if (!hasKeyId('root', rootKey, config, keys)) {", 'if (false) {',
      'too few, repeated, foreign or unreadable shares open nothing and change nothing',
    ],
    [
      'of two starts one changes the seal', 'await vault.store.transact([guard], operations)',
      'await vault.store.transact([], operations)',
      'of two recoveries at once one is refused, and the key file of the other opens the vault',
    ],
  ),
  ...guardsOf('actors/vault/unseal.ts', 'test/actors/vault.test.ts',
    [
      'the unseal key is the one of this vault', "if (!hasKeyId('unseal', unsealKey, config, keys)) {", 'if (false) {',
      'the loser of a race that holds another unseal key is sealed out of the winner’s vault',
    ],
    [
      'a store without its seal is damaged', 'if (entry === undefined) throw damaged(sealConfigPath',
      "if (entry === undefined) throw new VaultSealed('none')\n  if (false) throw damaged(sealConfigPath",
      'a store that holds something but no seal configuration is damaged, and nothing is made over it',
    ],
    [
      'a vault is given an unseal key', "if (text === undefined || text === '') {",
      "if (text === undefined || text === '') return new Uint8Array(keyBytes)\n  if (text === '') {",
      'without an unseal key no vault is made',
    ],
  ),
]
