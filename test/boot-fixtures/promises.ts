import { bootStep as step } from '../../actors/boot-steps.ts'
import type { StepEvent } from '../../runtime/trace.ts'

/** What the receiver of each step must tell of it: names, numbers and key ids, by which it can be checked. */
export const evidence: Readonly<Record<number, readonly string[]>> = {
  [step.trustKeyReceived]: ['device', 'kid', 'reason'],
  [step.bootTokenReceived]: ['jti', 'kid', 'sub'],
  [step.vaultKeyEnsured]: ['created', 'kid'],
  [step.firstWrite]: ['jti', 'keys', 'kid', 'revision', 'sub'],
  [step.normalPhase]: ['firstBoot', 'revision', 'trusts'],
  [step.deviceSession]: ['jti', 'kid', 'revision', 'sub'],
  [step.vaultKeyRead]: ['kid'],
  [step.verifyHubSession]: ['jti', 'key', 'kid', 'sub'],
  [step.verifyHubKeyLoaded]: ['epoch', 'kid'],
  [step.loginTokenReceived]: ['appid', 'env', 'jti', 'kid'],
  [step.loginReceived]: ['appid', 'host', 'jti', 'sid', 'sub'],
  [step.pairReceived]: ['appid', 'sid'],
  [step.serviceSession]: ['appid', 'jti', 'key', 'kid', 'sid', 'sub'],
  [step.refreshReceived]: ['appid', 'sid', 'sub'],
  [step.gatewayServing]: ['hostname', 'port'],
}

/** Services that log in, by their appid. */
export const services = ['cert-manager', 'gateway', 'scheduler', 'service'] as const

/** Each chain happens in this order; a step that each service goes through is the one of `service` there. */
const once: readonly (readonly number[])[] = [[
  step.trustKeyReceived,
  step.bootTokenReceived,
  step.vaultKeyEnsured,
  step.firstWrite,
  step.normalPhase,
  step.deviceSession,
  step.vaultKeyRead,
  step.verifyHubSession,
  step.verifyHubKeyLoaded,
]]
const each: readonly (readonly number[])[] = [
  [step.verifyHubKeyLoaded, step.loginTokenReceived, step.loginReceived, step.pairReceived, step.serviceSession],
  [step.pairReceived, step.refreshReceived],
]

export interface Order {
  readonly before: string
  readonly after: string
}

/** `4`, or `12 gateway` for a step that each service goes through. */
export const nameOf = (
  { number, evidence: { appid } }: StepEvent,
): string => (appid === undefined ? String(number) : `${number} ${appid}`)

const pairsOf = (chain: readonly string[]): Order[] =>
  chain.slice(1).map((after, index) => ({ before: chain[index] as string, after }))

/** All that the documented sequence says of the order. */
export const order: readonly Order[] = [
  ...once.flatMap((chain) => pairsOf(chain.map(String))),
  ...services.flatMap((service) =>
    each.flatMap((chain) =>
      pairsOf(
        chain.map((number) => (number >= step.loginTokenReceived ? `${number} ${service}` : String(number))),
      )
    )
  ),
  // It reads the zone by its session before it serves anybody
  { before: `${step.serviceSession} gateway`, after: String(step.gatewayServing) },
]
