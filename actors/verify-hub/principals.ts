import type { Denial, DenialReason } from '../../runtime/trust/denial.ts'
import { isName, kv, NodeConfig, ServiceSpec, UserSettings } from '../records.ts'
import { isReserved, loginTypes } from '../trust-matrix.ts'
import type { Reader, Zone } from './zone.ts'

/** Who a session speaks for, taken from `kv://` and never from a token. */
export type Admission =
  | { readonly admitted: true; readonly runtimeType: string; readonly audiences: readonly string[] }
  | { readonly admitted: false; readonly denial: Denial }

export interface ServiceLogin {
  readonly host: string
  readonly appid: string
  readonly sub: string
}

/**
 * Whether this host may run this service for this subject now: registered and active, placed there by the scheduler,
 * kernel services only on an OOD; sub is the device for the system's services and the owner for an app's.
 */
export async function admitService(zone: Zone, config: Reader, login: ServiceLogin): Promise<Admission> {
  const { host, appid, sub } = login
  if (![host, appid, sub].every(isName)) return refuse('login/subject', 'a name is not one segment of a key')
  if (appid === NODE_DAEMON) return admitNode(zone, config, login)
  const wrong = notByJwt(appid)
  if (wrong !== undefined) return refuse('login/role', wrong)
  const [documentText, nodeText, specText, userText] =
    await zone.read(config, kv.device(host), kv.node(host), kv.spec(appid), kv.user(sub))

  const device = zone.device(host, documentText)
  if (!device) return refuse('token/unknown-key', `device ${host} is not registered`)
  if (specText === undefined) return refuse('login/app', `services/${appid}/spec`)
  const spec = zone.record(ServiceSpec, kv.spec(appid), specText)
  if (spec.appid !== appid) return refuse('login/app', `services/${appid}/spec names ${spec.appid}`)
  // Others see in its session what the spec says it is: who logs in by another way is not a service
  const wrongType = notByJwt(spec.runtimeType)
  if (wrongType !== undefined) return refuse('login/role', wrongType)
  if (isKernel(spec) && device.document.role !== 'ood') return refuse('login/kernel', `${appid} on ${host}`)
  const node = nodeText === undefined ? undefined : zone.record(NodeConfig, kv.node(host), nodeText)
  // On a host that is drained runs on what has nowhere to go
  if (node?.host !== host || node.state === 'stopped' || node.services[spec.name]?.target !== 'running') {
    return refuse('login/placement', `${appid} on ${host}`)
  }
  if (sub !== (spec.owner ?? host)) return refuse('login/subject', `sub ${sub}, of ${appid} on ${host}`)
  if (spec.owner !== null && !activeUser(zone, sub, userText)) return refuse('login/user', `user ${sub}`)
  return { admitted: true, runtimeType: spec.runtimeType, audiences: spec.audiences }
}

/** Of the system: by what it may hold, or by what others take it for. */
export const isKernel = ({ kernel, runtimeType }: Pick<ServiceSpec, 'kernel' | 'runtimeType'>): boolean =>
  kernel || runtimeType === 'kernel-service'

const NODE_DAEMON = 'node-daemon'

/** Seed: Node Server. For its own device and no other; an OOD signs its sessions itself. */
async function admitNode(zone: Zone, config: Reader, { host, sub }: ServiceLogin): Promise<Admission> {
  const [text] = await zone.read(config, kv.device(host))
  const device = zone.device(host, text)
  if (!device) return refuse('token/unknown-key', `device ${host} is not registered`)
  const wrong = notByJwt(device.document.role)
  if (wrong !== undefined) return refuse('login/role', wrong)
  if (sub !== host) return refuse('login/subject', `sub ${sub}, of ${NODE_DAEMON} on ${host}`)
  if (device.document.role === 'client-device') return refuse('login/placement', `${NODE_DAEMON} on ${host}`)
  return { admitted: true, runtimeType: 'node', audiences: ['system-config'] }
}

/** Whether this user may use this app. Kernel services are nobody's app, save the gateway that a browser talks to. */
export async function admitUser(
  zone: Zone, config: Reader, login: { username: string; appid: string },
): Promise<Admission> {
  const { username, appid } = login
  if (!isName(username) || !isName(appid)) return refuse('login/user', 'a name is not one segment of a key')
  if (isReserved(username)) return refuse('login/user', `${username} is nobody's name`)
  const [userText, specText] = await zone.read(config, kv.user(username), kv.spec(appid))
  if (!activeUser(zone, username, userText)) return refuse('login/user', `user ${username}`)
  if (specText === undefined) return refuse('login/app', `services/${appid}/spec`)
  const spec = zone.record(ServiceSpec, kv.spec(appid), specText)
  if (spec.appid !== appid) return refuse('login/app', `services/${appid}/spec names ${spec.appid}`)
  if (isKernel(spec) && spec.runtimeType !== 'gateway') return refuse('login/app', `${appid} is a kernel service`)
  return { admitted: true, runtimeType: 'user', audiences: spec.audiences }
}

/** Its own app, and beside it only what was asked for and the spec allows. */
export function audiencesOf(
  appid: string, asked: readonly string[], allowed: readonly string[],
): readonly string[] | Denial {
  const refused = asked.find((audience) => audience !== appid && !allowed.includes(audience))
  if (refused !== undefined) return denial('login/audience', `${appid} asked for ${refused}`)
  return [...new Set([appid, ...asked])]
}

/** Why it does not log in by a token: LOGIN_TYPE of this role, if it is another. */
function notByJwt(role: string): string | undefined {
  const type = Object.hasOwn(loginTypes, role) ? loginTypes[role as keyof typeof loginTypes] : 'by-jwt'
  return type === 'by-jwt' ? undefined : `LOGIN_TYPE of ${role} is ${type}`
}

function activeUser(zone: Zone, name: string, text: string | undefined): UserSettings | undefined {
  if (text === undefined) return undefined
  const user = zone.record(UserSettings, kv.user(name), text)
  return user.name === name && user.state === 'active' ? user : undefined
}

/** The user of this name, who is active now. */
export async function userOf(zone: Zone, config: Reader, name: string): Promise<UserSettings | undefined> {
  if (!isName(name) || isReserved(name)) return undefined
  const [text] = await zone.read(config, kv.user(name))
  return activeUser(zone, name, text)
}

const denial = (reason: DenialReason, detail: string): Denial =>
  ({ layer: 'token', reason, rule: 'verify-hub/login', detail })
const refuse = (reason: DenialReason, detail: string): Admission =>
  ({ admitted: false, denial: denial(reason, detail) })
