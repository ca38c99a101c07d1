import type { VariantName } from './variants.ts'

/** An effect that is taken away, and what must be seen of that: which marks are missing, and what `up` says. */
export interface RemovedEffect {
  readonly variant: VariantName
  /** Steps that are not marked: their effect did not happen. */
  readonly absent: readonly string[]
  /** Steps just before, which happened and are marked. */
  readonly present: readonly string[]
  readonly code: string
  readonly message: RegExp
}

export const removedEffects: readonly RemovedEffect[] = [
  {
    variant: 'systemConfigWithoutTrustKey',
    absent: ['1', '2', '4', '5'],
    present: [],
    code: 'StartFailed',
    message: /system-config did not start: The ENV of system-config lacks BUCKYOS_THIS_DEVICE/,
  },
  {
    variant: 'bootSchedulerWithoutToken',
    absent: ['2', '3', '4', '5'],
    present: ['1'],
    code: 'StartFailed',
    message: /boot-scheduler did not start: The ENV of the boot scheduler lacks SCHEDULER_SESSION_TOKEN/,
  },
  { variant: 'vaultKeepsNoKey', absent: ['3', '4', '5'], present: ['1', '2'], code: 'StoreDamaged', message: /disk/ },
  {
    variant: 'bootSchedulerWithForgedToken',
    absent: ['4', '5'],
    present: ['1', '2', '3'],
    code: 'Denied',
    message: /a key that this verifier does not know/,
  },
  {
    variant: 'systemConfigKeepsNothing',
    absent: ['4', '5'],
    present: ['1', '2', '3'],
    code: 'StoreDamaged',
    message: /disk/,
  },
  {
    variant: 'systemConfigLosesBootConfig',
    absent: ['5', '8', '9'],
    present: ['1', '2', '3', '4'],
    code: 'Unavailable',
    message: /verify-hub did not start: .*link\/not-admitted/,
  },
  {
    variant: 'systemConfigLosesNodeConfig',
    absent: ['6', '7'],
    present: ['4', '5'],
    code: 'StartFailed',
    message: /no config for this host: nodes\/ood1\/config/,
  },
  {
    variant: 'nodeDaemonWithOtherKey',
    absent: ['6', '7'],
    present: ['5'],
    code: 'Denied',
    message: /a key that this verifier does not know/,
  },
  {
    variant: 'vaultRecordsNoGrant',
    absent: ['7', '8', '9'],
    present: ['6'],
    code: 'StoreDamaged',
    message: /verify-hub did not start: The disk/,
  },
  {
    variant: 'vaultGivesAnotherKey',
    absent: ['8', '9'],
    present: ['6', '7'],
    code: 'VerifyHubKeyMismatch',
    message: /verify-hub did not start: The vault gave another key/,
  },
  {
    variant: 'verifyHubCannotRead',
    absent: ['8', '9'],
    present: ['6', '7'],
    code: 'Unavailable',
    message: /verify-hub did not start: Not/,
  },
  {
    variant: 'serviceWithoutLoginToken',
    absent: ['10 service'],
    present: ['10 gateway', '10 scheduler', '11 service'],
    code: 'StartFailed',
    message: /missing steps: 10 service$/,
  },
  {
    variant: 'verifyHubKeepsNoSessions',
    absent: ['11 service', '12 service', '13 service', '14 service'],
    present: ['8', '9', '10 service'],
    code: 'StoreDamaged',
    message: /did not start: The disk/,
  },
  {
    variant: 'serviceLosesItsPair',
    absent: ['12 service', '13 service', '14 service'],
    present: ['11 service', '12 gateway'],
    code: 'StoreDamaged',
    message: /service did not start: The disk/,
  },
  {
    variant: 'schedulerReadsNothing',
    absent: ['13 scheduler'],
    present: ['12 scheduler', '13 service', '15'],
    code: 'StartFailed',
    message: /missing steps: 13 scheduler$/,
  },
  {
    variant: 'verifyHubRefreshesNobody',
    absent: ['14 cert-manager', '14 gateway', '14 scheduler', '14 service'],
    present: ['12 gateway', '12 scheduler', '12 service', '15'],
    code: 'StartFailed',
    message: /missing steps: 14 cert-manager, 14 gateway, 14 scheduler, 14 service$/,
  },
  {
    variant: 'gatewayCannotListen',
    absent: ['15'],
    present: ['12 gateway', '13 gateway'],
    code: 'Unavailable',
    message: /gateway did not start: Not/,
  },
]
