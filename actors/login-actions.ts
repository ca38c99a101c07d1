import type { TokenUse } from '../runtime/trust/token.ts'
import type { Role, Verifier } from './trust-matrix.ts'

/** What people read beside the matrix, as data: what each role does to log in, and what ends boot phase. */

export interface LoginAction {
  /** Who acts: the caller. */
  readonly role: Role
  readonly action: string
  /** Who judges what is shown; undefined for a role that logs in nowhere. */
  readonly callee: Verifier | undefined
  /** What is shown to the callee. */
  readonly shows: TokenUse | 'password' | undefined
  readonly when: string
}

const action = (
  role: Role, shows: LoginAction['shows'], callee: LoginAction['callee'], text: string, when: string,
): LoginAction => ({ role, action: text, callee, shows, when })

const OWN_SERVICES = 'signs a login token for a service, which finds it in its ENV'
const SERVICE_STARTS = 'at each start of a service, and when it asks for another'
const ENV_LOGIN = 'login_by_jwt with the login token of its ENV'
const REFRESHES = 'at 50 to 80 % of the life of a session'

const serviceActions = (role: Role): readonly LoginAction[] => [
  action(role, 'login', 'verify-hub', ENV_LOGIN, 'at its start, as the first thing it does'),
  action(role, 'refresh', 'verify-hub', 'refresh_token', REFRESHES),
]

const sudoActions = (...callees: readonly Verifier[]): readonly LoginAction[] => callees.map((callee) =>
  action('sudo', 'sudo', callee, 'signs a sudo token by the user’s own key, for the session slot of one request',
    'for one request that the session alone may not make'))

/** What each LOGIN_TYPE comes to (seed; review item 4): role, action, callee. */
export const loginActions: readonly LoginAction[] = [
  action('system-config', undefined, undefined, 'none', 'never: it depends on no service; its callers need a token'),
  action('vault', undefined, undefined, 'none', 'never: it knows its callers by link certificate and its own policy'),
  action('ood', 'session', 'system-config', 'signs its own session token by its device key',
    'from the start of its node daemon on, and before each ends'),
  action('ood', 'boot', 'system-config', 'signs the boot token for the boot schedule, which finds it in its ENV',
    'at the first boot only'),
  action('ood', 'login', 'verify-hub', OWN_SERVICES, SERVICE_STARTS),
  action('verify-hub', 'session', 'system-config', 'signs its own session token by the key that boot/config names',
    'from its start on, and before each ends'),
  action('node', 'login', 'verify-hub', 'login_by_jwt with a login token that it signs by its device key',
    'at its start, beside the start of its services'),
  action('node', 'refresh', 'verify-hub', 'refresh_token', REFRESHES),
  action('node', 'login', 'verify-hub', OWN_SERVICES, SERVICE_STARTS),
  ...serviceActions('service'),
  action('scheduler', 'boot', 'system-config', 'shows the boot token of its ENV with the boot transaction',
    'at the first boot only'),
  ...serviceActions('scheduler'),
  ...serviceActions('gateway'),
  action('client-device', 'login', 'verify-hub', 'login_by_jwt with a login token that it signs by its device key',
    'for a device that is registered and runs an app'),
  action('user', 'password', 'verify-hub', 'login_by_password', 'when nobody is logged in'),
  action('user', 'refresh', 'verify-hub', 'refresh_token', 'before a session token ends, for 7 days at most'),
  action('user', 'refresh', 'verify-hub', 'logout', 'when they leave'),
  ...sudoActions('system-config', 'verify-hub', 'kernel-service', 'service'),
]

/** How system-config leaves boot phase (review item 3). What each phase trusts is in the matrix. */
export const bootPhase = {
  begins: 'at the first start, with an empty store, on a host that has booted no zone',
  keys: {
    boot: 'the device key of its ENV; no key is loaded from kv://, whatever kid a token names',
    normal: 'that device key, the root and verify-hub keys of boot/config, and for sudo the keys of users/*/doc',
  },
  writes: {
    boot: 'one: the boot transaction, by the boot token, that creates boot/config and everything else',
    normal: 'by policy; boot/config by a root token that compares its revision',
  },
  switch: 'boot/config is in the store: once the boot transaction is durable, or when it is found at a start',
  back: 'never: a boot token is refused from then on, as is a store without boot/config on a host that has booted',
} as const
