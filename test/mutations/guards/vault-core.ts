/** The seal of the vault, its shares, its terms, and how it is made. */
import { guardsOf, type Guard } from '../guard.ts'

const sealed = 'a sealed vault answers its status and takes shares, and nothing else is served'
const split = 'a vault is split as it is asked to be: one share alone is the root key, and several need two of them'
const wrongShares = 'wrong shares begin the gathering of a rekey anew, under the same nonce, and change nothing'
const rekeyed = 'after a rekey the new shares and the key file open the vault, and the old shares do not'
const followed = 'a vault on the same store follows a rekey and the terms after it; without a key file it seals itself'
const rootToken = 'a root token is made for who brings enough shares, and only the pad of who began it shows it'

export const vaultCore: readonly Guard[] = [
  ...guardsOf('actors/vault/core.ts', 'test/actors/vault-seal.test.ts',
    [
      'a sealed vault serves nobody', 'if (unsealed === undefined) throw new VaultSealed(',
      'if (unsealed === undefined) unsealed = last\n      if (unsealed === undefined) throw new VaultSealed(', sealed,
    ],
    [
      'what was held over a seal is of no use', '        terms.close()\n', '',
      'what was under way when it was sealed ends with VaultSealed, and what it held is of no use after',
    ],
  ),
  ...guardsOf('actors/vault/seal/quorum.ts', 'test/actors/vault-seal.test.ts',
    [
      'a share counts once', 'if (this.#shares.some((given) => this.#keys.equal(given, share))) {', 'if (false) {',
      'shares open it one by one, in any order; one that was given before counts once, and that is said',
    ],
    [
      'what is no share changes nothing', 'if (share.length !== length) throw new InvalidArgument(', 'if (false) throw new '
        + 'InvalidArgument(', 'what is no share changes nothing of those that were given',
    ],
    [
      'there are enough shares', 'if (this.#shares.length < threshold) return', 'if (false) return',
      'shares open it one by one, in any order; one that was given before counts once, and that is said',
    ],
  ),
  ...guardsOf('actors/vault/seal/quorum.ts', 'test/actors/vault-rekey.test.ts',
    [
      'the shares are those of this vault', "if (rootKey && hasKeyId('root', rootKey, config, this.#keys)) return",
      'if (rootKey) return', wrongShares,
    ],
  ),
  ...guardsOf('actors/vault/seal/life.ts', 'test/actors/vault-rekey.test.ts',
    [
      'a vault that is there is not made again', 'if (!(await isUninitialised(ports.store))) throw exists()\n', '', split,
    ],
  ),
  ...guardsOf('actors/vault/init.ts', 'test/actors/vault-rekey.test.ts',
    [
      'several shares are no copies of the key', 'if (threshold === 1) throw new InvalidArgument(',
      'if (threshold === 1) return Array.from({ length: shares }, () => Uint8Array.from(rootKey))\n'
        + '  if (false) throw new InvalidArgument(', split,
    ],
  ),
  ...guardsOf('actors/vault/seal/rekey.ts', 'test/actors/vault-rekey.test.ts',
    [
      'of two rekeys one comes into force',
      'const guards = [entry, record].map(({ key, modRevision }) => ({ key, modRevision }))', 'const guards: never[] = []',
      'of two rekeys at once one comes into force, and the other changes nothing',
    ],
    [
      'new shares count once they were given back', 'if (!underWay.verify) {', 'if (true) {',
      'shares that are to be verified count only once enough of them were given back',
    ],
    [
      'a rekey keeps the key file good', "if (config.unsealKeyId !== '') {", 'if (false) {', rekeyed,
    ],
    [
      'a rekey is begun with the key file at hand', "if (config.unsealKeyId !== '') this.#unsealKey(config)", '',
      'without the key file that opens it no rekey is begun: the vault would not start again',
    ],
    [
      'a seal ends a rekey', "sealing.addEventListener('abort', () => this.cancel(), { once: true })", '',
      'a seal ends a rekey that is under way',
    ],
    [
      'a rekey is known by its nonce', 'if (!underWay || underWay.quorum.nonce !== nonce) throw',
      'if (!underWay) throw', rekeyed,
    ],
  ),
  ...guardsOf('actors/vault/seal/generate-root.ts', 'test/actors/vault-rekey.test.ts',
    [
      'a root token is for enough shares', 'if (!rootKey) return { complete: false, progress, duplicate }',
      "if (!rootKey && nonce === '') return { complete: false, progress, duplicate }", rootToken,
    ],
    [
      'a root token is hidden', 'token.map((byte, index) => byte ^ pad[index]!)', 'token', rootToken,
    ],
  ),
  ...guardsOf('actors/vault/live-terms.ts', 'test/actors/vault-rekey.test.ts',
    [
      'who has no key after a rekey is sealed out', 'this.adopt(config.rootKeyId === rootKeyId', 'this.adopt(true',
      followed,
    ],
  ),
  ...guardsOf('actors/vault/live-terms.ts', 'test/actors/vault-seal.test.ts',
    [
      'of two rotations each has its term', '[{ key: keyringPath, modRevision: revision }],', '[],',
      'many rotations and writers at once lose nothing, and each rotation has a term of its own',
    ],
    [
      'a barrier has so many terms', 'if (keyring.keys.length >= limits.vaultTerms) {', 'if (false) {',
      'a barrier has so many terms, and one more is refused',
    ],
  ),
  ...guardsOf('actors/vault/barrier.ts', 'test/actors/vault-seal.test.ts',
    [
      'a term that is new is looked for', 'if (terms.aeadOf(termOf(entry.value)) === undefined) await terms.refresh?.()', '',
      'a new term opens what lies there, and seals what is written from then on; others on the store follow',
    ],
  ),
  ...guardsOf('actors/vault/seal/reencrypt.ts', 'test/actors/vault-seal.test.ts',
    [
      'what others write meanwhile stays', 'guards.push({ key, modRevision: found.revision })', '',
      'what lies there is sealed anew when that is asked for, while others write',
    ],
  ),
]
