/** Folders of zones, and what must not leave a worker. */
import { guardsOf, type Guard } from '../guard.ts'

export const boot: readonly Guard[] = [
  ...guardsOf('boot/booted.ts', 'test/boot/booted.test.ts',
    [
      'a store is the one that was booted', 'store.id !== marker.store ?', "store.id === '' ?",
      'another store is refused',
    ],
    [
      'a store is not older than its boot', 'store.revision < marker.revision ?', 'store.revision < 0 ?',
      'an older copy of the store is refused',
    ],
  ),
  ...guardsOf('boot/booted.ts', 'test/boot/folder.test.ts',
    [
      'a booted marker is one', 'if (!parsed.success) {\n    throw',
      'if (!parsed.success) return undefined\n  if (!parsed.success) {\n    throw',
      'a marker that cannot be read, or is of another zone, is no marker that is missing',
    ],
    [
      'a booted marker is of this zone', 'if (parsed.output.zone !== zone) {', 'if (false) {',
      'a marker that cannot be read, or is of another zone, is no marker that is missing',
    ],
  ),
  ...guardsOf('boot/config.ts', 'test/boot/config.test.ts',
    [
      'a host and an owner have no reserved name',
      'if (names) throw read.invalid([names.key]', 'if (false) throw read.invalid([names!.key]',
      'a host with a name of the control plane is refused in one line that says where and what',
    ],
    [
      'a host and its owner have two names',
      "return host === owner ? { key: 'owner', what: `owner: the host has the same name: ${owner}` } : undefined",
      'return undefined', 'an owner called as the host is refused in one line that says where and what',
    ],
  ),
  ...guardsOf('boot/config-faults.ts', 'test/boot/config.test.ts',
    [
      'a key of zone.yaml comes once', 'uniqueKeys: true, strict: true', 'uniqueKeys: false, strict: true',
      'a duplicate key is refused in one line that says where and what',
    ],
  ),
  ...guardsOf('boot/grow.ts', 'test/boot/folder.test.ts',
    [
      'the owner key that is given is the zone’s', 'if (key.public.jwk.x === identity.zone.root.x) return key',
      'return key', 'more nodes are signed for by the owner key of this zone, and by no other',
    ],
  ),
  ...guardsOf('boot/init.ts', 'test/boot/folder.test.ts',
    [
      'a folder without its identity is not begun anew', 'if ((await files.mode(name)) === undefined) continue',
      'continue', 'what was a zone is not made anew over what is left of it',
    ],
    [
      'a restore that was not finished is no zone', 'if ((await files.mode(file.restoring)) === undefined) return\n',
      'return\n', 'what was a zone is not made anew over what is left of it',
    ],
    [
      'the zone document of a folder verifies', '  if (!zone.accepted) throw damaged(',
      '  if (!zone.accepted && zone.accepted !== false) throw damaged(',
      'documents that do not verify, or not belong together, are damage',
    ],
    [
      'the device document of a folder is signed by its owner', 'if (!device.accepted) throw damaged(',
      'if (!device.accepted && device.accepted !== false) throw damaged(',
      'documents that do not verify, or not belong together, are damage',
    ],
    [
      'the two documents of a folder belong together',
      'if (device.payload.zone !== zone.payload.zone || (host === zone.payload.host) === (joined !== undefined)) {',
      'if (false) {',
      'documents that do not verify, or not belong together, are damage',
    ],
    [
      'a folder is of the zone that was asked for',
      'refuseOtherZone(files, read, { ...zone.payload, host })\n  const pem', 'const pem',
      'a folder is of the zone that is asked for, and its device key is that of its document',
    ],
    [
      'the device key is that of its document', 'if (key.public.jwk.x !== expected.x) throw', 'if (false) throw',
      'a folder is of the zone that is asked for, and its device key is that of its document',
    ],
  ),
  ...guardsOf('boot/nodes.ts', 'test/boot/folder.test.ts',
    [
      'the owner key of a node’s document is that of the zone',
      'if (!of.accepted || of.payload.root.x !== zone.root.x || of.payload.zone !== zone.zone) {',
      'if (!of.accepted) {', 'the folder of a node holds documents of this zone, of this node, and of its OOD',
    ],
    [
      'a node’s document is signed by the owner', 'if (!device.accepted) throw',
      'if (!device.accepted && device.accepted !== false) throw',
      'the folder of a node holds documents of this zone, of this node, and of its OOD',
    ],
    [
      'a node’s document is of this node', "if (named !== name || as !== role || inZone !== zone.zone) throw",
      'if (false) throw', 'the folder of a node holds documents of this zone, of this node, and of its OOD',
    ],
    [
      'a node trusts the OOD of this folder',
      'if (!theirs.accepted || !ours.accepted || theirs.payload.key.x !== ours.payload.key.x) {', 'if (false) {',
      'the folder of a node holds documents of this zone, of this node, and of its OOD',
    ],
  ),
  ...guardsOf('boot/ood.ts', 'test/simulation.test.ts',
    [
      'a start after a boot says so', "(marker ? { ZONEWRIGHT_BOOTED: '1' } : {})", '(marker ? {} : {})',
      'the command line gives the same hash in another process, faults storm: Node, bundled',
    ],
    [
      'the marker is written',
      'if (!marker) await writeBootedMarker(files, { zone: config.zone, store: store.id, revision })', '',
      'the command line gives the same hash in another process, faults storm: Node, bundled',
    ],
  ),
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/redacted-events.test.ts',
    [
      'secrets that were given are concealed',
      'for (const secret of Object.values(given.secrets)) redactor.conceal(secret)', '',
      'a secret that was given is not in a log, whatever it looks like',
    ],
    [
      'events are redacted', 'options.emit(redactEvent(event, redactor))', 'options.emit(event)',
      'a secret that was given is not in a log, whatever it looks like',
    ],
  ),
  ...guardsOf('runtime/redact.ts', 'test/observe-redact.test.ts',
    [
      'what must not leave a worker does not', 'if (known) result = result.replace(known, REDACTED)', '',
      'a value that was told goes in every spelling, also what is left of it when it was cut',
    ],
    [
      'what looks like a secret does not leave',
      'for (const [pattern, by] of patterns) result = result.replace(pattern, by)', '',
      'tokens and private keys go by their form, whole or cut',
    ],
    [
      'what is named a secret does not leave', 'return sensitive ? REDACTED : data(value, depth)',
      'return data(value, depth)',
      'a value that was told goes in every spelling, also what is left of it when it was cut',
    ],
  ),
]
