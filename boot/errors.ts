import { defineError } from '../runtime/errors.ts'

/** What can be wrong with what a person gives us. `details.next` says what to do. */
export const Usage = defineError('Usage')
export const ConfigInvalid = defineError('ConfigInvalid')
export const FolderOfAnotherZone = defineError('FolderOfAnotherZone')
export const FolderDamaged = defineError('FolderDamaged')
export const DeviceKeyMissing = defineError('DeviceKeyMissing')
export const DeviceKeyMismatch = defineError('DeviceKeyMismatch')
export const OwnerKeyNeeded = defineError('OwnerKeyNeeded')
export const SelfCheckFailed = defineError('SelfCheckFailed')
export const Interrupted = defineError('Interrupted')

/** Exit codes, documented in the README. An error that is not here exits with 1. */
export const exitCodes: Readonly<Record<string, number>> = {
  Usage: 2,
  ConfigInvalid: 3,
  NotWritable: 4,
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
  SelfCheckFailed: 13,
  Denied: 14,
  OwnerKeyNeeded: 15,
  DeadlineExceeded: 16,
  Interrupted: 130,
}
