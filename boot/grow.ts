import { NotLeading, Scheduler } from '../actors/scheduler/protocol.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import type { Files, Platform, SigningKey } from '../runtime/platform/ports.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../runtime/trust/token.ts'
import { OwnerKeyNeeded } from './errors.ts'
import { file, openOwnerKey, type Identity } from './init.ts'
import { nodeNames, oodNames, openNode, signNodes, type NodeIdentity } from './nodes.ts'
import type { Ood } from './ood.ts'

/** The owner key, as a person gave it. */
export interface GivenOwnerKey {
  readonly path: string
  readonly pem: string
}

/** What the owner key is about to sign. */
export interface OwnerSigns {
  readonly type: 'owner-signs'
  readonly path: string
  /** Names of the nodes whose device documents it signs. */
  readonly documents: readonly string[]
  /** Names of the nodes that a root token registers. */
  readonly registers: readonly string[]
  readonly tokenSeconds: number
}

export interface GrowOptions {
  readonly platform: Platform
  readonly files: Files
  readonly identity: Identity
  /** Nodes, and OODs beside the first host. */
  readonly count: number
  readonly oods?: number
  readonly ownerKey?: GivenOwnerKey
  readonly ownerPassphrase?: string
  readonly onSigns: (signs: OwnerSigns) => void
}

/**
 * The nodes that this process runs. What a folder has from its first boot is only read; for more than that the owner
 * signs device documents and, once the zone serves, one root token that registers them. Killed anywhere, the same again
 * completes it.
 */
export class Nodes {
  readonly identities: readonly NodeIdentity[]
  readonly oods: readonly NodeIdentity[]
  readonly #options: GrowOptions
  readonly #owner: SigningKey | undefined
  /** Of whom it was said already that a root token will register them. */
  readonly #said: readonly string[]

  private constructor(
    options: GrowOptions, found: Found, owner: SigningKey | undefined, said: readonly string[],
  ) {
    this.#options = options
    this.identities = found.nodes as NodeIdentity[]
    this.oods = found.oods as NodeIdentity[]
    this.#owner = owner
    this.#said = said
  }

  /** @throws OwnerKeyNeeded, FolderDamaged, DeviceKeyMissing, DeviceKeyMismatch */
  static async open(options: GrowOptions): Promise<Nodes> {
    const { platform, files, identity, count, oods = 0, ownerKey, onSigns } = options
    const names = { node: nodeNames(count, identity.zone), ood: oodNames(oods, identity.zone) }
    const open = (role: 'node' | 'ood') =>
      Promise.all(names[role].map((name) => openNode({ platform, files }, name, identity, role)))
    const find = async (): Promise<Found> => ({ nodes: await open('node'), oods: await open('ood') })
    const found = await find()
    const lacks = {
      node: names.node.filter((_, index) => !found.nodes[index]),
      ood: names.ood.filter((_, index) => !found.oods[index]),
    }
    const missing = [...lacks.ood, ...lacks.node]
    if (missing.length === 0) return new Nodes(options, found, ownerOf(options), [])
    const owner = ownerOf(options) ?? ownerNeeded(options, `has no documents for ${listed(missing)}`)
    onSigns({
      type: 'owner-signs', path: ownerKey!.path, documents: missing, registers: missing,
      tokenSeconds: tokenLifetimeSeconds.root,
    })
    for (const role of ['ood', 'node'] as const) {
      await signNodes({ platform, files }, lacks[role], owner, identity, role)
    }
    return new Nodes(options, await find(), owner, missing)
  }

  /** Once the zone serves: whoever is not registered is, if the owner key is there. @throws OwnerKeyNeeded, Denied */
  async register(ood: Ood): Promise<void> {
    const keys = new Map(ood.devices.map(({ host, role, jwk }) => [host, `${role} ${jwk.x}`]))
    const isAbsent = (role: 'node' | 'ood') => ({ name, device }: NodeIdentity): boolean =>
      keys.get(name) !== `${role} ${device.public.jwk.x}`
    const absent = [...this.oods.filter(isAbsent('ood')), ...this.identities.filter(isAbsent('node'))]
    if (absent.length === 0) return
    const names = absent.map(({ name }) => name)
    const owner = this.#owner ?? ownerNeeded(this.#options, `has not registered ${listed(names)} in the zone`)
    const { ownerKey, onSigns } = this.#options
    if (names.some((name) => !this.#said.includes(name))) {
      onSigns({
        type: 'owner-signs', path: ownerKey!.path, documents: [], registers: names,
        tokenSeconds: tokenLifetimeSeconds.root,
      })
    }
    const supervisor = ood.supervisor()
    const actions = Object.fromEntries(absent.map(({ name, deviceDocument: value }) =>
      [kv.device(name), { action: keys.has(name) ? 'update' as const : 'create' as const, value }]))
    await supervisor.get(SystemConfig).execTx({ actions }, { token: this.#rootToken(owner) })
    // They follow both by themselves; the nodes start at once
    await supervisor.get(NodeDaemon).converge({})
    await supervisor.get(Scheduler).round({}).catch((error: unknown) => {
      if (!(error instanceof NotLeading)) throw error
    })
  }

  #rootToken(owner: SigningKey): string {
    const { platform: { clock, random }, identity } = this.#options
    const iat = Math.floor(clock.now() / 1000)
    return signToken(owner, {
      iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.root,
      jti: toBase64url(random.fork('root token').bytes(16)), token_use: 'root', appid: 'cli', runtime_type: 'user',
      epoch: identity.zone.epoch,
    })
  }
}

interface Found {
  readonly nodes: readonly (NodeIdentity | undefined)[]
  readonly oods: readonly (NodeIdentity | undefined)[]
}

/** Undefined where none was given. @throws OwnerKeyNeeded when it is another one, or does not open */
function ownerOf({ platform, identity, ownerKey, ownerPassphrase }: GrowOptions): SigningKey | undefined {
  if (!ownerKey) return undefined
  const { path, pem } = ownerKey
  const key = openOwnerKey(() => platform.keys.importPem(pem, ownerPassphrase), path)
  if (key.public.jwk.x === identity.zone.root.x) return key
  throw new OwnerKeyNeeded(`This is not the owner key of ${identity.zone.zone}: ${path}`, {
    path, next: 'Give the owner.key that step 0 of this zone made',
  })
}

function ownerNeeded({ files, identity, count, oods = 0 }: GrowOptions, what: string): never {
  const wanted = `${oods > 0 ? ` --oods ${oods + 1}` : ''}${count > 0 || oods === 0 ? ` --nodes ${count}` : ''}`
  throw new OwnerKeyNeeded(`The owner has to sign for more ${oods > 0 ? 'hosts' : 'nodes'}: the folder ${what}`, {
    path: files.path('.'), zone: identity.zone.zone,
    next: `Run \`up${wanted} --owner-key ${files.path(file.ownerKey)}\`, or where else the owner key is`,
  })
}

const listed = (names: readonly string[]): string =>
  (names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', '))
