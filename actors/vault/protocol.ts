import { defineError } from '../../runtime/errors.ts'
import {
  array, boolean, call, integer, number, object, optional, picklist, pipe, protocol, string, type Infer,
} from '../../runtime/protocol.ts'
import { httpCall } from '../http-protocol.ts'
import { PublicKey } from '../system-config/protocol.ts'
import {
  Enrolled, enrolmentAsked, IssuedCertificate, JoinedHost, JoinToken, oodAsked, OodIssued, OodRequest, Registrar,
} from './join/protocol.ts'

export * from './join/protocol.ts'

/** In the ENV of the vault: the name or address by which other hosts reach this one; its certificates may name it. */
export const REACHED_AT = 'ZONEWRIGHT_REACHED_AT'

const count = pipe(number(), integer())

/** What is told of one version of a key; its private part is read by `readKey`. */
export const KeyVersion = object({
  version: count, kid: string(), publicKey: PublicKey,
  /** Epoch milliseconds. */
  createdAt: number(),
})
export type KeyVersion = Infer<typeof KeyVersion>

/**
 * One authority of a mount: the root, or the intermediate that signs. `next` is told to everybody before it signs,
 * `active` signs, `tainted` signs no more while what it signed is trusted, `revoked` is trusted no more.
 */
export const Authority = object({
  mount: string(),
  /** Thumbprint of its key. */
  id: string(),
  kind: picklist(['root', 'intermediate']),
  state: picklist(['next', 'active', 'tainted', 'revoked']),
  subject: string(), serial: string(),
  /** Epoch milliseconds. */
  notBefore: count, notAfter: count,
  pem: string(),
  /** `id` of who signed it; its own for a root. */
  signedBy: string(),
})
export type Authority = Infer<typeof Authority>

/** What the inventory says of one certificate. Times are epoch milliseconds; `serial` is hexadecimal with colons. */
export const CertificateRecord = object({
  serial: string(), role: string(), subject: string(), names: array(string()), authority: string(),
  /** Who asked: `actor@host` by link certificate, or the accessor of a vault token. */
  holder: string(),
  notBefore: count, notAfter: count,
  revokedAt: optional(count),
})
export type CertificateRecord = Infer<typeof CertificateRecord>

/** A certificate that an authority of the vault has signed without the vault: by `recover etcd`. */
export const Unrecorded = object({ role: string(), pem: string() })
export type Unrecorded = Infer<typeof Unrecorded>

/** Every method asks for a sealed link; grants of key material are signed so that they can be proved later. */
export const Vault = protocol('vault', {
  status: call(object({}), object({
    initialised: boolean(), sealed: boolean(), term: count, threshold: count, shares: count, vaultId: string(),
  }), { concurrent: 8, suite: 'sealed' }),
  /** Creates the Ed25519 key if it is absent; every retry gets the same answer. */
  ensureKey: call(
    object({ name: string() }), object({ kid: string(), publicKey: PublicKey, created: boolean() }),
    { suite: 'signature' },
  ),
  /** What is told of every version of a key, oldest first. */
  keyVersions: call(object({ name: string() }), array(KeyVersion), { concurrent: 8, suite: 'sealed' }),
  /** The version after that of `after`: made if it is absent; every retry gets the same answer. */
  rotateKey: call(
    object({ name: string(), after: string() }), object({ ...KeyVersion.entries, created: boolean() }),
    { suite: 'signature' },
  ),
  /** A private key, PKCS #8 PEM: of the oldest version, or of `kid`. For the one actor that the vault policy names. */
  readKey: call(
    object({ name: string(), kid: optional(string()) }), object({ kid: string(), version: count, pem: string() }),
    { suite: 'signature' },
  ),
  /** Destroys every version that is older than that of `kid`. */
  destroyKeysBefore: call(
    object({ name: string(), kid: string() }), object({ destroyed: count }), { suite: 'signature' },
  ),
  /** `secret/…`, versioned; `cas` is the version that must be current, 0 for none. `only`: no older one is kept. */
  putSecret: call(
    object({ path: string(), value: string(), cas: optional(count), only: optional(boolean()) }),
    object({ version: count }), { suite: 'sealed' },
  ),
  getSecret: call(
    object({ path: string() }), object({ value: string(), version: count }), { concurrent: 16, suite: 'sealed' },
  ),
  /** Shares of the root key, for the owner: once, by the start that made the vault, to the supervisor of its host. */
  takeRecoveryShares: call(object({}), object({ shares: array(string()) }), { suite: 'signature' }),
  /** From now on it answers `VaultSealed` to all but `status`, `unseal` and `http`; its keys leave its memory. */
  seal: call(object({}), object({}), { suite: 'signature' }),
  /**
   * One share; it opens when the threshold is reached. `reset` forgets those given before. With neither it opens by the
   * key file that it was started with. @throws VaultSealed
   */
  unseal: call(
    object({ share: optional(string()), reset: optional(boolean()) }),
    object({
      sealed: boolean(), progress: count, threshold: count, shares: count,
      /** The share was given before: it counts once. */
      duplicate: optional(boolean()),
    }), { suite: 'sealed' },
  ),
  /**
   * A new term of the barrier: what is written from now on is sealed under it, what lies there opens as before. With
   * `reencrypt` that is sealed anew as well, while the vault serves.
   */
  rotateBarrier: call(object({ reencrypt: optional(boolean()) }), object({ term: count }), { suite: 'signature' }),
  /** A request of HashiCorp Vault's API (`/v1/…`), from the vault's own listener. */
  http: httpCall({ suite: 'sealed' }),

  /** Makes the authorities of the zone (`pki`) and of its etcd (`pki-etcd`) where absent. A retry changes nothing. */
  ensureAuthorities: call(object({}), array(Authority), { suite: 'signature' }),
  /** Every authority of a mount, newest last. */
  authorities: call(object({ mount: string() }), array(Authority), { concurrent: 8, suite: 'sealed' }),
  /**
   * One step of the rotation of a mount's authority; `id` says of which. A retry changes nothing. `force` revokes one
   * by which certificates have not ended.
   */
  stepAuthority: call(
    object({
      mount: string(), step: picklist(['prepare', 'activate', 'taint', 'revoke']), id: optional(string()),
      force: optional(boolean()),
    }),
    array(Authority), { suite: 'signature' },
  ),
  /** A certificate for the key of a signing request (PKCS #10, PEM), within a role. Durable before the answer. */
  signCertificate: call(
    object({
      mount: string(), role: string(), csr: string(),
      /** What the certificate is to say, where the request says nothing or is not to be believed. */
      commonName: optional(string()), dns: optional(array(string())), ip: optional(array(string())),
      uri: optional(array(string())),
      /** Seconds; the role's own when it does not say. */
      ttl: optional(count),
      /** Milliseconds by which the caller's clock is behind: notBefore goes back by at most ten minutes. */
      skewMs: optional(count),
    }),
    IssuedCertificate, { concurrent: 64, suite: 'signature' },
  ),
  /** The inventory, by serial. No private key is in it. */
  certificates: call(
    object({ mount: string(), after: optional(string()), limit: optional(count) }),
    object({ certificates: array(CertificateRecord), more: boolean() }), { concurrent: 8, suite: 'sealed' },
  ),
  certificate: call(
    object({ mount: string(), serial: string() }), object({ ...CertificateRecord.entries, pem: string() }),
    { concurrent: 8, suite: 'sealed' },
  ),
  /** Revoked for good; the CRL that says so is made before the answer. A retry gets the first time. */
  revokeCertificate: call(
    object({ mount: string(), serial: string(), reason: optional(string()) }), object({ revokedAt: count }),
    { suite: 'signature' },
  ),
  /** The newest CRL of each authority that has not ended, PEM. */
  crl: call(
    object({ mount: string() }),
    array(object({ authority: string(), number: count, nextUpdate: count, pem: string() })),
    { concurrent: 8, suite: 'sealed' },
  ),
  /** Forgets certificates that ended more than `safetyMs` ago. */
  tidyCertificates: call(
    object({ mount: string(), safetyMs: optional(count) }), object({ removed: count, left: count }),
    { suite: 'signature' },
  ),
  /** An authority with its key, encrypted as in the store: what opens the vault opens it where the vault is no more. */
  sealAuthority: call(object({ mount: string() }), object({ sealed: string() }), { suite: 'signature' }),
  /** Takes what was signed without the vault into its inventory. A retry changes nothing. @throws InvalidArgument */
  recordCertificates: call(
    object({ mount: string(), certificates: array(Unrecorded) }), object({ recorded: count, known: count }),
    { suite: 'signature' },
  ),
  /** `{zone, version, roots, iat, notAfter}`, a JWS (`zw-roots+jws`) by the anchor: the roots to be trusted now. */
  roots: call(object({}), object({ document: string(), version: count }), { concurrent: 8, suite: 'sealed' }),
  /** A secret by which one host may join, once. `by`: for whom it is made. @throws InvalidArgument, LimitExceeded */
  createJoinToken: call(
    object({
      host: string(), role: string(), owner: optional(string()), cidr: optional(string()),
      ttlSeconds: optional(count), by: string(),
    }),
    object({ token: string(), record: JoinToken }), { suite: 'signature' },
  ),
  listJoinTokens: call(object({}), object({ tokens: array(JoinToken) }), { suite: 'sealed' }),
  revokeJoinToken: call(object({ id: string() }), JoinToken, { suite: 'signature' }),
  /** @throws JoinRefused */
  checkJoinToken: call(object({ token: string(), host: string() }), JoinToken, { concurrent: 64, suite: 'sealed' }),
  /**
   * One transaction uses the token up, binds it to the device key and records the certificate. The same device gets
   * the same bytes for the same request again, while token and certificate are unrevoked. @throws JoinRefused
   */
  enrol: call(object({ ...enrolmentAsked, token: string() }), Enrolled, { concurrent: 64, suite: 'signature' }),
  /**
   * The next certificate of a host that joined, by its device key; without `serial` it shows no certificate, and the
   * last may have ended by `limits.joinRenewalSeconds`. @throws JoinRefused
   */
  renewEnrolment: call(
    object({ ...enrolmentAsked, serial: optional(string()) }), Enrolled, { concurrent: 64, suite: 'signature' },
  ),
  /**
   * Notes that this device wants to be an OOD; once the owner's document for it is here (`approveOod`), one transaction
   * uses the token up, records its certificates and seals the unseal key to it. The same request gets the same again.
   * @throws JoinRefused
   */
  enrolOod: call(
    object(oodAsked), object({ request: OodRequest, issued: optional(OodIssued) }),
    { concurrent: 16, suite: 'signature' },
  ),
  /** Those who wait for the owner, oldest first. */
  oodRequests: call(object({}), object({ requests: array(OodRequest) }), { suite: 'sealed' }),
  /** By a document that the owner key signed: for the key that asked, as an OOD. @throws NotInVault, JoinRefused */
  approveOod: call(object({ host: string(), document: string() }), OodRequest, { suite: 'signature' }),
  refuseOod: call(object({ host: string(), device: string(), by: string() }), OodRequest, { suite: 'signature' }),
  /** Hosts that joined, also those that were revoked since, by name; as many as `limits.joinedHostsPage`. */
  joinedHosts: call(
    object({ after: optional(string()) }), object({ hosts: array(JoinedHost), more: boolean() }),
    { concurrent: 8, suite: 'sealed' },
  ),
  joinedHost: call(object({ host: string() }), JoinedHost, { concurrent: 64, suite: 'sealed' }),
  /** Signs the document of a host anew. One that was revoked stays as it is. @throws NotInVault */
  registerHost: call(object({ host: string(), registrar: Registrar }), JoinedHost, { suite: 'signature' }),
  /** All its certificates into the revocation lists, and the host revoked, in one transaction. @throws NotInVault */
  revokeHost: call(object({ host: string(), by: string() }), JoinedHost, { suite: 'signature' }),
  /** Public part of the key that signs the audit, and how far that has come. */
  auditHead: call(
    object({}), object({ kid: string(), publicKey: PublicKey, sequence: count, hash: string() }), { suite: 'sealed' },
  ),
})

/** The vault's own HTTP: HashiCorp Vault's API at a port of its own. */
export const VaultListener = protocol('vault-listener', {
  address: call(
    object({}),
    object({
      hostname: string(), port: count, tls: boolean(),
      /** Of the certificate that it shows now; epoch milliseconds. */
      serial: optional(string()), notAfter: optional(count),
    }),
    { concurrent: 8 },
  ),
})

export const VaultSealed = defineError('VaultSealed')
export const VaultDamaged = defineError('VaultDamaged')
/** A certificate that a role does not allow, or a signing request that is not sound. `details.reason` says which. */
export const CertificateRefused = defineError('CertificateRefused')
/** There is no such mount, role, authority or certificate. */
export const NotInVault = defineError('NotInVault')
export const SecretNotFound = defineError('SecretNotFound')
export const SecretVersionMismatch = defineError('SecretVersionMismatch')
