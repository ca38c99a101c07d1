/**
 * What is allowed in every zone, before `system/rbac/policy` adds its lines. An access needs a line for the app that
 * calls and a line for whom it speaks for; `{…}` is the appid in the first and the subject in the second.
 */

/** By appid. `kernel` names run on an OOD only: verify-hub gives them sessions there and nowhere else. */
export const appLines = `
g, node-daemon, kernel
g, scheduler, kernel
g, verify-hub, kernel
g, gateway, kernel
g, cert-manager, kernel
g, dns, kernel
g, enrolment, kernel
g, node-monitor, kernel
p, kernel, boot/*, read
p, kernel, devices/*, read
p, kernel, nodes/*, read
p, kernel, users/*, read
p, kernel, agents/*, read
p, kernel, services/*, read
p, kernel, zone/*, read
p, kernel, system/*, read
p, kernel, services/{app}/instances/*, write
p, scheduler, nodes/*/config, write
p, scheduler, nodes/*/gateway_config, write
p, scheduler, nodes/*/gateway_info, write
p, scheduler, services/*/info, write
p, scheduler, services/cert-manager/spec, write
p, scheduler, services/console/spec, write
p, scheduler, services/dns/spec, write
p, scheduler, services/enrolment/spec, write
p, scheduler, services/node-monitor/spec, write
p, scheduler, system/rbac/policy, write
p, scheduler, system/scheduler/*, write
p, cert-manager, system/pki/*, write
p, tunnel, stream://*, write
p, enrolment, system/enrolment/*, write
p, node-monitor, system/hosts/*, write
p, node-daemon, devices/*/info, write
p, node-daemon, services/*/instances/*, write
p, app, boot/config, read
p, app, system/pki/*, read
p, app, services/*/info, read
p, app, users/*/doc, read
p, app, services/{app}/*, read
p, app, services/{app}/settings, write
p, app, services/{app}/instances/*, write
p, app, users/*/profile, read
p, app, users/*/apps/{app}/*, read
p, app, users/*/apps/{app}/settings, write
p, console, boot/config, read
p, console, devices/*, read
p, console, nodes/*, read
p, console, nodes/*/control, write
p, console, services/*, read
p, console, users/*, read|write
p, console, services/*/spec, write
p, console, services/*/settings, write
p, console, system/rbac/*, read
p, console, auth://sessions/*, read|write
p, console, auth://users, read
p, console, auth://passwords/*, write
p, console, auth://locks/*, read|write
p, console, auth://keys/verify-hub, read|write
p, console, cert://*, read|write
p, console, ca://*, read|write
p, console, monitor://nodes, read
p, console, join://hosts, read|write
p, console, join://tokens, read|write
`

/** By subject. The runtime type of its token is a role; users are given theirs by the policy. */
export const subjectLines = `
g, type:ood, control-plane
g, type:kernel-service, control-plane
p, control-plane, boot/*, read
p, control-plane, devices/*, read
p, control-plane, nodes/*, read
p, control-plane, users/*, read
p, control-plane, agents/*, read
p, control-plane, services/*, read
p, control-plane, zone/*, read
p, control-plane, system/*, read
p, type:ood, devices/{ood}/info, write
p, type:ood, services/*/instances/*, write
p, type:kernel-service, nodes/*, write
p, type:kernel-service, services/*, write
p, type:kernel-service, system/rbac/policy, write
p, type:kernel-service, system/scheduler/*, write
p, type:kernel-service, system/enrolment/*, write
p, type:kernel-service, system/pki/*, write
p, type:kernel-service, system/hosts/*, write
p, type:ood, stream://*, write
p, type:node, stream://*, write
p, type:node, boot/config, read
p, type:node, system/pki/*, read
p, type:node, devices/*, read
p, type:node, services/*, read
p, type:node, nodes/{node}/*, read
p, type:node, system/hosts/{node}, read
p, type:node, devices/{node}/info, write
p, type:node, services/*/instances/{node}, write
p, type:gateway, boot/config, read
p, type:gateway, system/pki/*, read
p, type:gateway, devices/*, read
p, type:gateway, services/*, read
p, type:gateway, nodes/{gateway}/*, read
p, type:gateway, services/*/instances/{gateway}, write
p, type:service, boot/config, read
p, type:service, system/pki/*, read
p, type:service, users/*/doc, read
p, type:service, services/*, read
p, type:service, services/*/settings, write
p, type:service, services/*/instances/*, write
p, user, boot/config, read
p, user, services/*/info, read
p, user, users/{user}/*, read|write
p, user, auth://sessions/{user}, read|write
p, user, auth://locks/{user}, read
g, admin, user
p, admin, devices/*, read
p, admin, nodes/*, read
p, admin, nodes/*/control, write
p, admin, services/*, read
p, admin, services/*/spec, write
p, admin, services/*/settings, write
p, admin, system/rbac/*, read
p, admin, auth://sessions/*, read|write
p, admin, auth://locks/*, read|write
p, admin, auth://users, read
p, admin, users/*/settings, read
p, admin, auth://keys/*, read|write
p, admin, cert://*, read
p, admin, ca://*, read
p, admin, monitor://nodes, read
p, admin, join://hosts, read|write
p, admin, join://tokens, read|write
p, admin, stream://*, write
p, sudo, users/{sudo}/key_settings, read|write
p, sudo, users/{sudo}/doc, write
p, su_admin, users/*/settings, write
p, su_admin, services/verify-hub/settings, write
p, su_admin, users/*/doc, read
p, su_admin, auth://passwords/*, write
p, su_admin, auth://keys/*, write
p, su_admin, cert://*, write
p, su_admin, ca://*, write
`

/**
 * What the control plane cannot be without: a policy or a model that takes it away is refused, or the zone would go on
 * without it until root repairs it. App, runtime type, operation, path.
 */
export const controlPlaneNeeds: readonly (readonly [string, string, 'read' | 'write', string])[] = [
  ['scheduler', 'kernel-service', 'read', 'devices/'], ['scheduler', 'kernel-service', 'read', 'nodes/'],
  ['scheduler', 'kernel-service', 'read', 'services/'], ['scheduler', 'kernel-service', 'read', 'users/'],
  ['scheduler', 'kernel-service', 'read', 'system/rbac/'], ['scheduler', 'kernel-service', 'write', 'nodes/a/config'],
  ['scheduler', 'kernel-service', 'write', 'services/a/info'],
  ['scheduler', 'kernel-service', 'write', 'system/rbac/policy'],
  ['node-daemon', 'ood', 'read', 'devices/'], ['node-daemon', 'ood', 'read', 'nodes/'],
  ['node-daemon', 'ood', 'read', 'services/'], ['verify-hub', 'kernel-service', 'read', 'boot/config'],
  ['verify-hub', 'kernel-service', 'read', 'users/a/settings'],
  ['verify-hub', 'kernel-service', 'read', 'services/a/spec'],
  ['verify-hub', 'kernel-service', 'read', 'devices/a/doc'],
  ['gateway', 'gateway', 'read', 'boot/config'], ['gateway', 'gateway', 'read', 'services/a/info'],
]

/** Before a runtime type that is a role. Nobody else has such a role. */
export const TYPE = 'type:'

/** Before the name of a client device, which lines may be given to: `p, device:laptop, stream://notes, write`. */
export const DEVICE = 'device:'

/** With these the subject is a device, whose name is nobody else's: what a user of that name may do is not for it. */
export const deviceRuntimeTypes: ReadonlySet<string> = new Set([
  'ood', 'kernel-service', 'node', 'gateway', 'client-device',
])

/** Roles that no line of the policy may give or change. */
export const fixedRoles: ReadonlySet<string> = new Set(['kernel', 'control-plane'])

/** Roles that the policy gives. */
export const givenRoles: ReadonlySet<string> = new Set(['app', 'console', 'user', 'admin', 'sudo', 'su_admin'])

/** Of those, what a user has by sudo alone; a line gives them to a `su_` name. */
export const sudoRoles: ReadonlySet<string> = new Set(['sudo', 'su_admin'])

/**
 * Only root writes these, whatever a line says: each of them decides who is trusted, or as what. Nobody but root reads
 * what is in `security`. What a host that joined is registered by, enrolment writes (`system-config/registration`).
 */
export const rootWrites: readonly string[] = ['boot/config', 'devices/*/doc', 'security', 'security/*']
export const rootReads: readonly string[] = ['security', 'security/*']

/** Beside root, only sudo writes these: they decide who a user is. No line gives them to an ordinary session. */
export const sudoWrites: readonly string[] = [
  'users/*/doc', 'users/*/settings', 'users/*/key_settings', 'users/*/key_settings/*',
  // What verify-hub watches for, and does about it
  'services/verify-hub/settings',
]

/** Written by `execTx` only, whose frames are signed: who changed these must be provable later. */
export const signedWrites: readonly string[] = ['boot/config', 'system/rbac/*', 'users/*/doc']
