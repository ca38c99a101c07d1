/**
 * Numbers of the documented boot steps (seed: buckyos-logins, BOOT and the login of each role). The receiving side
 * marks a step; `boot/sequences.ts` says from whom to whom and what.
 */
export const bootStep = {
  /** The OOD started system-config, which found its first trust key in its ENV. */
  trustKeyReceived: 1,
  /** The OOD started the scheduler, which found in its ENV a token made with the device's private key. */
  bootTokenReceived: 2,
  /** The vault made, or found, the key pair of verify-hub. */
  vaultKeyEnsured: 3,
  /** system-config authenticated the boot token and took the one first write. */
  firstWrite: 4,
  /** system-config left boot phase and trusts the device, the owner and verify-hub. */
  normalPhase: 5,
  /** system-config authenticated the OOD's self-issued session; it read its node config. */
  deviceSession: 6,
  /** The vault gave verify-hub its private key. */
  vaultKeyRead: 7,
  /** system-config authenticated verify-hub's self-issued session. */
  verifyHubSession: 8,
  /** verify-hub holds the key that `boot/config` names. */
  verifyHubKeyLoaded: 9,
  /** A service found its login token in the ENV that the OOD gave it. */
  loginTokenReceived: 10,
  /** verify-hub accepted a login token. */
  loginReceived: 11,
  /** A service received its token pair. */
  pairReceived: 12,
  /** system-config authenticated a service by a session that verify-hub issued. */
  serviceSession: 13,
  /** verify-hub rotated a refresh token. */
  refreshReceived: 14,
  /** The gateway serves. */
  gatewayServing: 15,
} as const

const texts: Readonly<Record<number, string>> = {
  [bootStep.trustKeyReceived]: 'was started; its ENV holds the first trust key',
  [bootStep.bootTokenReceived]: 'was started; its ENV holds a token signed by the device key',
  [bootStep.vaultKeyEnsured]: 'made, or found, the key pair of verify-hub',
  [bootStep.firstWrite]: 'took the first write, authenticated by that token',
  [bootStep.normalPhase]: 'left boot phase: trusts its device, the owner and verify-hub',
  [bootStep.deviceSession]: 'let the OOD read its node config by a self-issued session',
  [bootStep.vaultKeyRead]: 'gave verify-hub its private key, once',
  [bootStep.verifyHubKeyLoaded]: 'holds the key that boot/config names',
  [bootStep.verifyHubSession]: 'let verify-hub read config by a self-issued session',
  [bootStep.loginTokenReceived]: 'was started; its ENV holds a login token',
  [bootStep.loginReceived]: 'accepted a login token',
  [bootStep.pairReceived]: 'received session and refresh token',
  [bootStep.serviceSession]: 'let a service read config by that session',
  [bootStep.refreshReceived]: 'rotated a refresh token',
  [bootStep.gatewayServing]: 'serves HTTP',
}

/** What the receiver of a step did. */
export const bootStepText = (number: number): string => texts[number] ?? ''
