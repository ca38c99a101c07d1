import type { Peer, Self } from '../../runtime/actor.ts'
import type { Vault } from './protocol.ts'

export type VaultMethod = keyof typeof Vault['methods']

/** What one actor, known by its link certificate, may do here. What no row allows is denied. */
interface PolicyRule {
  readonly rule: string
  readonly actor: string
  readonly runtimeType: string
  /** `own`: only from the vault's own host. `any`: kernel names are certified for OODs only. */
  readonly host: 'own' | 'any'
  readonly methods: readonly VaultMethod[]
  /** A name; a prefix when it ends with `/`; `-` where the method has no resource; `*` for any mount. */
  readonly resource: string
}

export const vaultPolicy: readonly PolicyRule[] = [
  {
    rule: 'vault/boot-scheduler-ensures-verify-hub-key', actor: 'boot-scheduler', runtimeType: 'kernel-service',
    host: 'any', methods: ['ensureKey'], resource: 'verify-hub',
  },
  {
    rule: 'vault/scheduler-ensures-verify-hub-key', actor: 'scheduler', runtimeType: 'kernel-service',
    host: 'any', methods: ['ensureKey'], resource: 'verify-hub',
  },
  {
    rule: 'vault/verify-hub-reads-its-key-once', actor: 'verify-hub', runtimeType: 'kernel-service',
    host: 'any', methods: ['readKey'], resource: 'verify-hub',
  },
  {
    rule: 'vault/verify-hub-rotates-its-key', actor: 'verify-hub', runtimeType: 'kernel-service',
    host: 'any', methods: ['keyVersions', 'rotateKey', 'destroyKeysBefore'], resource: 'verify-hub',
  },
  {
    rule: 'vault/verify-hub-keeps-its-secrets', actor: 'verify-hub', runtimeType: 'kernel-service',
    host: 'any', methods: ['putSecret', 'getSecret'], resource: 'verify-hub/',
  },
  {
    rule: 'vault/supervisor-of-this-host', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['status', 'takeRecoveryShares', 'seal', 'unseal', 'rotateBarrier', 'auditHead'],
    resource: '-',
  },
  {
    rule: 'vault/supervisor-makes-authorities', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['ensureAuthorities', 'roots'], resource: '-',
  },
  {
    rule: 'vault/supervisor-makes-the-anchor', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['ensureKey'], resource: 'anchor',
  },
  {
    rule: 'vault/supervisor-reads-authorities', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['authorities', 'certificates', 'crl'], resource: '*',
  },
  {
    rule: 'vault/supervisor-signs-for-etcd', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['signCertificate'], resource: 'pki-etcd/',
  },
  {
    rule: 'vault/supervisor-keeps-etcd-recoverable', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['sealAuthority', 'recordCertificates'], resource: 'pki-etcd',
  },
  {
    rule: 'vault/supervisor-signs-for-this-host', actor: 'supervisor', runtimeType: 'ood',
    host: 'own', methods: ['signCertificate'], resource: 'pki/ood',
  },
  {
    rule: 'vault/enrolment-keeps-join-tokens', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['createJoinToken', 'listJoinTokens', 'revokeJoinToken'], resource: '-',
  },
  {
    rule: 'vault/enrolment-lets-hosts-join', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['checkJoinToken', 'enrol', 'renewEnrolment', 'registerHost'], resource: '-',
  },
  {
    rule: 'vault/enrolment-lets-oods-join', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['enrolOod', 'oodRequests', 'approveOod', 'refuseOod'], resource: '-',
  },
  {
    rule: 'vault/enrolment-keeps-hosts', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['joinedHosts', 'joinedHost', 'revokeHost'], resource: '-',
  },
  {
    rule: 'vault/enrolment-has-a-key-made', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['ensureKey'], resource: 'enrolment',
  },
  {
    rule: 'vault/enrolment-signs-for-itself', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['signCertificate'], resource: 'pki/ood',
  },
  {
    rule: 'vault/enrolment-reads-roots', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['ensureAuthorities', 'roots'], resource: '-',
  },
  {
    rule: 'vault/enrolment-reads-authorities', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['authorities', 'crl'], resource: 'pki',
  },
  {
    rule: 'vault/enrolment-reads-the-anchor', actor: 'enrolment', runtimeType: 'kernel-service',
    host: 'own', methods: ['keyVersions'], resource: 'anchor',
  },
  {
    rule: 'vault/listener-signs-for-itself', actor: 'vault-listener', runtimeType: 'kernel-service',
    host: 'own', methods: ['signCertificate'], resource: 'pki/vault',
  },
  {
    rule: 'vault/listener-sees-whether-there-is-an-authority', actor: 'vault-listener', runtimeType: 'kernel-service',
    host: 'own', methods: ['authorities'], resource: 'pki',
  },
  {
    rule: 'vault/listener-hands-requests-on', actor: 'vault-listener', runtimeType: 'kernel-service',
    host: 'own', methods: ['http'], resource: '-',
  },
  {
    rule: 'vault/cert-manager-keeps-authorities', actor: 'cert-manager', runtimeType: 'kernel-service',
    host: 'any', methods: ['ensureAuthorities', 'roots', 'status', 'auditHead'], resource: '-',
  },
  {
    rule: 'vault/cert-manager-makes-the-anchor', actor: 'cert-manager', runtimeType: 'kernel-service',
    host: 'any', methods: ['ensureKey'], resource: 'anchor',
  },
  {
    rule: 'vault/cert-manager-keeps-certificates', actor: 'cert-manager', runtimeType: 'kernel-service',
    host: 'any', methods: [
      'authorities', 'stepAuthority', 'certificates', 'certificate', 'revokeCertificate', 'crl', 'tidyCertificates',
    ],
    resource: '*',
  },
]

/** The rule that allows it, if one does. */
export function allowingRule(peer: Peer, self: Self, method: VaultMethod, resource: string): string | undefined {
  const allows = (rule: PolicyRule): boolean => speaksFor(rule, peer, self)
    && rule.methods.includes(method)
    && (rule.resource === '*' || (rule.resource.endsWith('/')
      ? resource.startsWith(rule.resource)
      : resource === rule.resource))
  return vaultPolicy.find(allows)?.rule
}

/** Whether any row is about this peer; nobody else may link. */
export const mayLink = (peer: Peer, self: Self): boolean => vaultPolicy.some((rule) => speaksFor(rule, peer, self))

const speaksFor = (rule: PolicyRule, peer: Peer, self: Self): boolean => peer.zone === self.zone
  && peer.actor === rule.actor
  && peer.runtimeType === rule.runtimeType
  && (rule.host === 'any' || peer.host === self.host)
