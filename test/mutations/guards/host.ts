/** The node daemon, the supervisor, the scheduler, and programs. */
import { guardsOf, type Guard } from '../guard.ts'

export const host: readonly Guard[] = [
  ...guardsOf('actors/node-daemon/actor.ts', 'test/actors/host-guards.test.ts',
    [
      'a login token is for a service of this host', 'if (peer.host !== self.host || !item) {', 'if (!item) {',
      'a login token is for a service of this host that there is',
    ],
    [
      'a login token is for a service that there is', 'if (peer.host !== self.host || !item) {',
      'if (peer.host !== self.host) {', 'a login token is for a service of this host that there is',
    ],
    [
      'an environment is for the supervisor', "if (peer.host !== self.host || peer.actor !== 'supervisor') {",
      'if (peer.host !== self.host) {', 'an environment, with its tokens, is for the supervisor of this host',
    ],
    [
      'a node daemon is linked on its host', 'admit: (peer) => peer.host === self.host },', 'admit: () => true },',
      'the daemon is linked to actors of its own host',
    ],
    [
      'a daemon has a device key', 'if (pem === undefined) throw',
      'if (pem === undefined) return { key: keys.generate(random), host: self.host, epoch: 0, clock, random }\n'
        + '  if (false) throw',
      'a daemon without the device key does not start',
    ],
  ),
  ...guardsOf('actors/node-daemon/converge.ts', 'test/actors/node-daemon.test.ts',
    [
      'nothing of the control plane is converged', 'found.get(name)?.managed !== false && !wanted.unreadable.has(name)',
      '!wanted.unreadable.has(name)',
    ],
    [
      'a service whose spec cannot be read stays', 'found.get(name)?.managed !== false && !wanted.unreadable.has(name)',
      'found.get(name)?.managed !== false', 'one whose spec nobody can read stays as it is',
    ],
  ),
  ...guardsOf('actors/node-daemon/device-tokens.ts', 'test/actors/device-tokens.test.ts',
    [
      'a session of an OOD is bound to its link', 'cnf: { jkt: linkKid }, ', '',
      'the session that a device issues itself is good on the link of its node daemon alone',
    ],
    [
      'a session is renewed after a clock was set back', 'iat >= current.iat && current.exp - iat > RENEW_SECONDS',
      'current.exp - iat > RENEW_SECONDS', 'it is renewed before it ends, and when the clock was set back',
    ],
  ),
  ...guardsOf('actors/node-daemon/environment.ts', 'test/actors/host-guards.test.ts',
    [
      'a spec sets no documented name', '.filter(([name]) => !DOCUMENTED.test(name))', '',
      'a spec sets no name that the zone documents',
    ],
  ),
  ...guardsOf('actors/node-daemon/operate.ts', 'test/actors/operate.test.ts',
    [
      'an operator has a token', 'if (cx.token === undefined) {',
      'if (cx.token === undefined) return\n    if (cx.token === undefined) {',
      'an admin sees what runs, kills it, reads the log, and has refusals explained',
    ],
    [
      'a root token is used up for all OODs', 'onceSinceSeconds: startedSeconds, burn,',
      'onceSinceSeconds: startedSeconds,',
      'root is above the policy here, once, and not by a token from before a restart',
    ],
    [
      'an operator may by the policy', 'for (const key of keys) await cx.systemConfig.check({ key, act })', '',
      'every method asks for a session that is for this verifier, and for a right that has its own key',
    ],
    [
      'who kills may', "await demand(cx, 'write', kv.control(host))", '',
      'every method asks for a session that is for this verifier, and for a right that has its own key',
    ],
    [
      'who goes on reading logs still may', 'if (life.signal.aborted) return\n        await allowed()',
      'if (life.signal.aborted) return', 'lines of log stop when the right, or the token, ends',
    ],
  ),
  ...guardsOf('actors/node-daemon/operate.ts', 'test/actors/operator-guards.test.ts',
    [
      'who asks for a host may', "if (host !== undefined) await demand(cx, 'read', kv.state(host))", '',
      'who may nothing is told nothing, and does nothing',
    ],
    [
      'who asks for a denial of another host may',
      "if (found.host !== self.host) await demand(cx, 'read', kv.logs(found.host))", '',
      'who may read the logs of this host is told no denial of another',
    ],
    [
      'who reads logs may', '    await allowed()\n    const life', '    const life',
      'who may nothing is told nothing, and does nothing',
    ],
  ),
  ...guardsOf('actors/scheduler/actor.ts', 'test/actors/scheduler.test.ts',
    [
      'a write of the scheduler is guarded', 'term.write({ actions, mainKey })',
      'term.write({ actions })',
      'loses no line of the policy that was written while it made its own',
    ],
    [
      'changes are gathered for a round',
      'if (failures === 0) await pause(clock, limits.schedulerGatherMs, term.signal)', '',
      'makes one round of what changes together, while what changes alone waits for nothing',
    ],
  ),
  ...guardsOf('actors/scheduler/boot-actor.ts', 'test/actors/host-guards.test.ts',
    [
      'the boot scheduler’s zone document verifies', 'if (!verdict.accepted) {',
      'if (!verdict.accepted && verdict.accepted !== false) {',
      'the boot scheduler starts with a zone document of this zone that the owner key signed',
    ],
    [
      'the boot scheduler is of this zone', 'if (zone.zone !== self.zone) throw', 'if (false) throw',
      'the boot scheduler starts with a zone document of this zone that the owner key signed',
    ],
    [
      'who links to the boot scheduler is the supervisor', "peer.actor === 'supervisor' && peer.host === self.host",
      'peer.host === self.host', 'the boot scheduler is linked to the supervisor of this host',
    ],
  ),
  ...guardsOf('actors/scheduler/boot-actor.ts', 'test/actors/scheduler.test.ts',
    ['the boot transaction is guarded', 'execTx({ actions, mainKey }, { token })', 'execTx({ actions }, { token })'],
  ),
  ...guardsOf('actors/scheduler/boot-actor.ts', 'test/boot/nodes.test.ts',
    [
      'the nodes of a first boot are nodes',
      "if (!device || device.name === ood || documents.has(device.name)) {", 'if (!device) {',
      'the boot scheduler refuses a document that the owner did not sign, or that takes another’s name',
    ],
  ),
  ...guardsOf('actors/read-device.ts', 'test/boot/nodes.test.ts',
    [
      'the scheduler reads documents of this zone',
      'return payload.zone === zone && payload.enrolment === undefined ? payload : undefined',
      'return payload.enrolment === undefined ? payload : undefined',
      'the boot scheduler refuses a document that the owner did not sign, or that takes another’s name',
    ],
  ),
  ...guardsOf('actors/scheduler/place.ts', 'test/actors/schedule-placement.test.ts',
    [
      'kernel services go to OODs', "(host.ood || !spec.kernel) && host.state === 'running'",
      "host.state === 'running'", 'a kernel service runs on an OOD or not at all',
    ],
    [
      'nothing goes to a host that drains', "(host.ood || !spec.kernel) && host.state === 'running'",
      '(host.ood || !spec.kernel)',
      'what runs stays where it is when hosts and services come, and moves when its host is drained',
    ],
  ),
  ...guardsOf('actors/scheduler/schedule.ts', 'test/actors/schedule-placement.test.ts',
    [
      'a spec lies under its name', 'readOr(onInvalid, ServiceSpec, key, text, (read) => read.name === name)',
      'readOr(onInvalid, ServiceSpec, key, text, () => true)',
      'a spec that bears the name of another service moves nothing of that one',
    ],
    [
      'a user who is not active is given nothing', "if (user?.state === 'active') lines", 'if (user) lines',
      'lines above the mark are kept as they are, those below it follow from users and services',
    ],
    [
      'a kernel service is no app', 'if (!spec.kernel) lines.push', 'lines.push',
      'lines above the mark are kept as they are, those below it follow from users and services',
    ],
  ),
  ...guardsOf('actors/scheduler/schedule.ts', 'test/actors/schedule.test.ts',
    [
      'a user of a host’s name is given nothing', 'if (config.has(kv.device(name)) || isReserved(name)) continue',
      'if (isReserved(name)) continue',
      'a user whose name is that of a host is given no role: the services of the host speak under it',
    ],
  ),
  ...guardsOf('boot/known-hosts.ts', 'test/boot/nodes.test.ts',
    [
      'no host has a reserved name',
      'const device = document && !isReserved(document.name) ? trusted(document) : undefined',
      'const device = document && trusted(document)',
      'only what the owner of this zone signed is a host, and a reserved name never',
    ],
    [
      'a document under the name of another host registers nobody', 'device && kv.device(device.host) === key ?',
      'device ?', 'a document that lies under another key than its own registers nobody',
    ],
  ),
  ...guardsOf('boot/supervision.ts', 'test/boot/supervision.test.ts',
    [
      'only the daemon starts and stops', "if (name !== 'node-daemon')", 'if (false)',
      'only the node daemon starts, stops, kills, reads logs and denials, and says which hosts there are',
    ],
    [
      'only what is managed', 'if (!managed(name))', 'if (false)',
      'also the daemon starts and stops nothing of the control plane',
    ],
    [
      'what starts is managed', 'for (const { name } of actors) onlyManaged(name)', '',
      'also the daemon starts and stops nothing of the control plane',
    ],
    [
      'a process takes no name of an actor', 'if (taken) throw', 'if (false && taken) throw',
      'a program does not take the name of an actor that ships with Zonewright',
    ],
    [
      'who supervises is of this host', "peer.host === host && ['node-daemon', 'gateway'].includes(peer.actor)",
      "['node-daemon', 'gateway'].includes(peer.actor)",
      'it is linked to the daemon and the gateway of its own host, and to nobody else',
    ],
    [
      'who reads the supervisor is known', "peer.host === host && ['node-daemon', 'gateway'].includes(peer.actor)",
      'peer.host === host', 'it is linked to the daemon and the gateway of its own host, and to nobody else',
    ],
  ),
  ...guardsOf('runtime/process/allowed.ts', 'test/runtime/process-guards.test.ts',
    [
      'a program is named by processes.allow', 'if (!allow.some((entry) => covers(entry, path))) throw',
      'if (false) throw', 'a program runs when this host names it, by its plain path, which is no link',
    ],
    [
      'a command is a plain path', 'if (!isPlain(path)) {', 'if (false) {',
      'a program runs when this host names it, by its plain path, which is no link',
    ],
    [
      'a command is no link', 'if (program.path !== path) {', 'if (false) {',
      'a program runs when this host names it, by its plain path, which is no link',
    ],
    [
      'a folder that is allowed ends with a slash', 'path.startsWith(entry.slice(0, -1))',
      'path.startsWith(entry.slice(0, -2))',
      'a program runs when this host names it, by its plain path, which is no link',
    ],
    [
      'an environment loads no code', 'if (found === undefined) return\n  const text', 'return\n  const text',
      'an environment that puts code into programs is refused',
    ],
  ),
  ...guardsOf('runtime/process/ledger.ts', 'test/runtime/process-guards.test.ts',
    [
      'a user is nobody else’s', 'if (taken.has(given)) throw', 'if (false) throw',
      'the user of a service is its own for good, and nobody is given one that another has',
    ],
    [
      'a list of processes that is damaged is not made anew',
      '    if (parsed.success) return parsed.output\n  } catch {',
      '    return parsed.success ? parsed.output : undefined\n  } catch {',
      'a list of users that is damaged is not made anew: folders belong to whom it says',
    ],
  ),
  ...guardsOf('runtime/process/premises.ts', 'test/runtime/process-guards.test.ts',
    [
      'a program is checked before it starts', 'await assertAllowed(machine, allow, name, command, own)', '',
      'before each start both are looked at',
    ],
    [
      'an environment is checked before a start', 'assertNoLoader(name, given)', '',
      'before each start both are looked at',
    ],
  ),
  ...guardsOf('runtime/process/processes.ts', 'test/runtime/process-guards.test.ts',
    [
      'a name is one of a folder', 'if (!NAME.test(name)) throw', 'if (false) throw',
      'a service is named like a folder, and a host that stops starts nothing',
    ],
    [
      'a host that stops starts nothing', 'if (closed) throw', 'if (false) throw',
      'a service is named like a folder, and a host that stops starts nothing',
    ],
  ),
]
