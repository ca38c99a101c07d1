import { defineError } from '../runtime/errors.ts'

export { ClockSkew } from '../actors/clock-skew.ts'

/** What can be wrong with what a person gives us. `details.next` says what to do. */
export const Usage = defineError('Usage')
export const ConfigInvalid = defineError('ConfigInvalid')
export const FolderOfAnotherZone = defineError('FolderOfAnotherZone')
export const FolderDamaged = defineError('FolderDamaged')
export const DeviceKeyMissing = defineError('DeviceKeyMissing')
export const DeviceKeyMismatch = defineError('DeviceKeyMismatch')
export const OwnerKeyNeeded = defineError('OwnerKeyNeeded')
export const SelfCheckFailed = defineError('SelfCheckFailed')
/** A key that is to be retired, while tokens of it are still good. */
export const KeyInUse = defineError('KeyInUse')
export const Interrupted = defineError('Interrupted')

/** What a command meets that speaks to a running zone. */
export const ZoneNotRunning = defineError('ZoneNotRunning')
export const NotLoggedIn = defineError('NotLoggedIn')
/** A user's own key, for `sudo`: it is not there, is not for them alone, or its passphrase is missing or wrong. */
export const SudoKeyNeeded = defineError('SudoKeyNeeded')
export const NotHealthy = defineError('NotHealthy')
/** A certificate ends within the time that was asked about. */
export const CertificateExpiring = defineError('CertificateExpiring')
export const ServiceNotServing = defineError('ServiceNotServing')
/** A host that was drained still runs something: it has nowhere to go, or not yet. */
export const HostNotEmpty = defineError('HostNotEmpty')
/** It listens there, but what answers is no zone of ours. */
export const NotAZone = defineError('NotAZone')

/** A backup that is not whole or not what was written; that a passphrase has to open; of a newer program. */
export const BackupDamaged = defineError('BackupDamaged')
export const BackupLocked = defineError('BackupLocked')
export const BackupUnsupported = defineError('BackupUnsupported')
export const FolderNotEmpty = defineError('FolderNotEmpty')
/** What lies in the folder is no zone yet. */
export const RestoreUnfinished = defineError('RestoreUnfinished')

/** The config names etcd, and the certificates for it are not in the folder. */
export const PemsMissing = defineError('PemsMissing')
/** No member of etcd answers; some do, and they have no leader. */
export const EtcdUnreachable = defineError('EtcdUnreachable')
/** What answers there has a certificate of another authority, or for other names. */
export const EtcdNotTrusted = defineError('EtcdNotTrusted')
/** etcd did not take the certificate of this host. */
export const EtcdRefused = defineError('EtcdRefused')
/** The certificate of this host, or of a member, has ended. */
export const EtcdCertificateExpired = defineError('EtcdCertificateExpired')
/** The stores of this folder lie in an etcd that the config does not name. */
export const StoresInEtcd = defineError('StoresInEtcd')
/** Records of the vault's audit were changed, or are missing. */
export const AuditBroken = defineError('AuditBroken')

/** A host does not join: nothing answers, or what does is not the zone that it was told of. */
export const ServerUnreachable = defineError('ServerUnreachable')
export const ServerNotTrusted = defineError('ServerNotTrusted')
export const ServerWrongName = defineError('ServerWrongName')
export const ServerExpired = defineError('ServerExpired')
/** The token that it has: nobody knows it, it is over, it is used, or it is for another host or address. */
export const JoinTokenUnknown = defineError('JoinTokenUnknown')
export const JoinTokenExpired = defineError('JoinTokenExpired')
export const JoinTokenRevoked = defineError('JoinTokenRevoked')
export const JoinTokenUsed = defineError('JoinTokenUsed')
export const JoinNotAllowed = defineError('JoinNotAllowed')
/** The host that waits has another device key than was said. */
export const FingerprintMismatch = defineError('FingerprintMismatch')
/** The folder is none of a host that has joined. */
export const NotJoined = defineError('NotJoined')
/** The folder is none of a zone that has booted. */
export const NotBooted = defineError('NotBooted')
/** The vault does not certify that key, or not for that request. */
export const RequestRefused = defineError('RequestRefused')

/** A simulated run broke an invariant, or was not the same twice. */
export const SimulationBroken = defineError('SimulationBroken')

/** Exit codes, documented in the README. An error that is not here exits with 1. */
export const exitCodes: Readonly<Record<string, number>> = {
  Usage: 2,
  ConfigInvalid: 3,
  NotWritable: 4,
  DiskFull: 4,
  FolderInUse: 5,
  FolderOfAnotherZone: 6,
  FolderDamaged: 7,
  StoreDamaged: 7,
  VaultDamaged: 7,
  RecordInvalid: 7,
  DeviceKeyMissing: 8,
  DeviceKeyMismatch: 8,
  ZoneStoreMismatch: 9,
  VaultSealed: 10,
  StartFailed: 11,
  RestartLimit: 11,
  VerifyHubKeyMismatch: 11,
  NeedsCycle: 11,
  PortInUse: 12,
  AddressNotLocal: 12,
  SelfCheckFailed: 13,
  Denied: 14,
  ProcessNotAllowed: 14,
  OwnerKeyNeeded: 15,
  DeadlineExceeded: 16,
  ZoneNotRunning: 17,
  NotLoggedIn: 18,
  InvalidPassword: 19,
  LoginLocked: 33,
  SudoKeyNeeded: 34,
  NotFound: 20,
  NotInVault: 20,
  KeyNotFound: 20,
  AlreadyExists: 21,
  KeyExists: 21,
  RevisionMismatch: 21,
  Compacted: 21,
  NotHealthy: 22,
  ServiceNotServing: 23,
  Unavailable: 24,
  Overloaded: 24,
  Restarted: 24,
  Cancelled: 24,
  HandshakeFailed: 24,
  NotAZone: 24,
  InvalidArgument: 25,
  CertificateRefused: 25,
  InvalidKey: 25,
  InvalidPath: 25,
  LimitExceeded: 25,
  BackupDamaged: 26,
  BackupLocked: 27,
  BackupUnsupported: 28,
  FolderNotEmpty: 29,
  RestoreUnfinished: 30,
  EpochMismatch: 31,
  SimulationBroken: 32,
  KeyInUse: 35,
  CertificateExpiring: 50,
  HostNotEmpty: 55,
  PemsMissing: 40,
  EtcdUnreachable: 41,
  EtcdNotTrusted: 42,
  EtcdRefused: 43,
  EtcdCertificateExpired: 44,
  StoresInEtcd: 45,
  AuditBroken: 36,
  ServerUnreachable: 60,
  ServerNotTrusted: 61,
  TlsNotTrusted: 61,
  ServerWrongName: 62,
  ServerExpired: 63,
  ClockSkew: 64,
  JoinTokenUnknown: 65,
  JoinTokenExpired: 66,
  JoinTokenRevoked: 67,
  JoinTokenUsed: 68,
  JoinNotAllowed: 69,
  FingerprintMismatch: 69,
  RequestRefused: 70,
  NotJoined: 71,
  NotBooted: 71,
  StoreMoved: 45,
  StoreOfAnother: 46,
  StoreDiverged: 47,
  StoreBeingMoved: 48,
  MoveMismatch: 49,
  Interrupted: 130,
}
