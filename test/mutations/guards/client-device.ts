/** What a client device may: a stream where the policy lets it and its owner, and to be a host in no sense. */
import { guardsOf, type Guard } from '../guard.ts'

const BOTH =
  'bytes go where the policy allows it to the device and to its owner, who is active, and to what is public'
const KIND = 'a client device opens links to system-config and verify-hub only, and hosts open no bytes'
const NOBODY = 'a client device is no host: nothing is placed on it, and no link certificate counts by its key'
const NAME = 'what lines give to a user of the same name, or to its owner, is nothing to a device'
const LIVE = 'a stream of bytes closes when it may not be open any more, and no other one'
const TEST = 'test/actors/client-device.test.ts'

export const clientDevice: readonly Guard[] = [
  ...guardsOf('actors/enrolment/tunnels/admission.ts', TEST,
    ['a client device opens links to no other actors', "device && !reachableActors.includes(request.protocol) ?",
      'false ?', KIND],
    ['hosts open no streams of bytes', "(device || isRelayed ? undefined : 'stream/http')", 'undefined', KIND],
    ['the owner of a client device is active', "if (!await isActive(owner, role)) {", 'if (false) {', BOTH],
    ['an active user is one by their own record', "user?.name === name && user.state === 'active'",
      "user?.state === 'active'", BOTH],
    ['the policy allows the stream to the device',
      "enforcer.demandOf({ ...speaker, sub: name, runtimeType: role }, 'write', resource, before)", '', BOTH],
    ['the policy allows the stream to its owner',
      "enforcer.demandOf({ ...speaker, sub: owner, runtimeType: 'user' }, 'write', resource, before)", '', BOTH],
  ),
  ...guardsOf('actors/enrolment/tunnels/live.ts', TEST,
    ['what was refused since is closed', 'if (!(error instanceof Denied) || !live.has(one)) return',
      'if (error !== undefined) return', LIVE],
  ),
  ...guardsOf('actors/rbac/roles.ts', TEST,
    ['a device has lines of its own', 'const name = DEVICE + sub', 'const name = sub', NAME],
  ),
  ...guardsOf('boot/known-hosts.ts', TEST,
    ['no link certificate counts by the key of a client device', "role === 'client-device' ? undefined :",
      'false ? undefined :', NOBODY],
  ),
  ...guardsOf('actors/scheduler/hosts-in.ts', TEST,
    ['nothing is placed on a client device', " && document.role !== 'client-device' ?", ' ?', NOBODY],
  ),
]
