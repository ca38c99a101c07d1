import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { signLinkCertificate, type LinkCertificate } from '../../runtime/link/certificate.ts'
import { establish } from '../../runtime/link/handshake.ts'
import type { Frame, SigningKey } from '../../runtime/platform/ports.ts'
import type { Attempt, Refusal } from './judge.ts'
import type { Door, Scene, Visitor } from './scene.ts'
import { edited, swapped } from './wire.ts'

const systemConfig = SystemConfig.name
const vault = Vault.name

const handshakeFailed = (reason: string): Refusal => ({ code: 'HandshakeFailed', reason })

/** What the callee says of a handshake is not told to the visitor: it is the supervisor who learns it. */
const refused = (name: string, reason: string, attempt: (scene: Scene) => Promise<unknown>): Attempt => ({
  name, group: 'handshake', expected: handshakeFailed(reason), prepare: async (scene) => () => attempt(scene),
})

const knock = (name: string, callee: string, reason: string, visitor: (scene: Scene) => Visitor): Attempt =>
  refused(name, reason, (scene) => scene.knock(callee, visitor(scene)))

const certified = (changes: Partial<LinkCertificate>) => ({
  certificate: (honest: LinkCertificate, device: SigningKey) => signLinkCertificate(device, { ...honest, ...changes }),
})

const kernel = { actor: 'verify-hub', runtimeType: 'kernel-service' } as const

/** X25519 points of small order (RFC 7748 §6.1), little-endian: the agreement would be zero, whatever our key. */
const POINT_OF_ORDER_2 = 'A'.repeat(43)
const POINT_OF_ORDER_8 = '4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA'

const withEphemeral = (point: string) => ({
  alter: (frame: Frame) => [swapped(frame, /"ephemeral":"[^"]+"/, `"ephemeral":"${point}"`)],
})

/** Changes the first frame; what follows leaves as it is. */
function onFirst(change: (frame: Frame) => Frame): (frame: Frame) => readonly Frame[] {
  let first = true
  return (frame) => {
    if (!first) return [frame]
    first = false
    return [change(frame)]
  }
}

/** Plays what was recorded of another handshake; goes on when the callee has answered. */
async function play({ tap, accepted }: Door, messages: readonly Frame[]): Promise<void> {
  const [first, ...rest] = messages
  await new Promise<void>((resolve) => {
    tap.receive(() => resolve(), () => resolve())
    tap.inject(first!)
  })
  for (const message of rest) tap.inject(message)
  await accepted
}

/** The first message as the prover would send it. It does not leave. */
function firstMessage({ tap, options }: Door): Frame {
  tap.alter = () => []
  establish(tap, options).catch(() => {})
  return tap.sent[0]!
}

export const handshakeAttacks: readonly Attempt[] = [
  knock('A certificate by a device key that nobody knows', systemConfig, 'certificate of another device key',
    ({ stranger }) => ({ certificate: (honest) => signLinkCertificate(stranger, honest) })),
  knock('A certificate by a host that is not registered', systemConfig, 'unknown device', ({ stranger }) => ({
    certificate: (honest) => signLinkCertificate(stranger, { ...honest, host: 'elsewhere' }),
  })),
  knock('A certificate with a forged signature', systemConfig, 'certificate forged', ({ impostor }) => ({
    certificate: (honest) => signLinkCertificate(impostor, honest),
  })),
  knock('A certificate that has expired', systemConfig, 'certificate expired',
    (scene) => certified({ exp: scene.nowSeconds() - 1 })),
  knock('A certificate of another zone', systemConfig, 'certificate of another zone',
    () => certified({ zone: 'elsewhere.example' })),
  knock('A token in place of a certificate', systemConfig, 'not a link certificate', (scene) => ({
    certificate: () => scene.token('session'),
  })),
  knock("A worker shows another worker's certificate", systemConfig, 'signature',
    ({ stranger, key }) => ({ key: stranger, ...certified({ key: key.public.jwk }) })),
  knock('A worker claims to be verify-hub', vault, 'not the expected actor', () => ({ introducedAs: kernel })),
  knock('A worker certifies itself as verify-hub', vault, 'certificate of another device key', ({ stranger }) => ({
    ...kernel, key: stranger, certificate: (honest) => signLinkCertificate(stranger, honest),
  })),
  knock('verify-hub in an incarnation that is over', vault, 'not the expected incarnation', ({ zone }) => ({
    ...kernel, introducedAs: { incarnation: zone.list().find(({ name }) => name === 'verify-hub')!.incarnation },
  })),
  knock('A link to the vault without encryption', vault, 'suite below the minimum', () => ({ offers: ['mac'] })),
  knock('A key exchange with a point of order 2', systemConfig, 'X25519 key', () => withEphemeral(POINT_OF_ORDER_2)),
  knock('A key exchange with a point of order 8', systemConfig, 'X25519 key', () => withEphemeral(POINT_OF_ORDER_8)),
  knock('A handshake that was meant for another actor', vault, 'meant for another actor', () => ({
    alter: (frame) => [swapped(frame, '"actor":"vault"', '"actor":"service"')],
  })),
  knock('A handshake message that is too long', systemConfig, 'message too long', () => ({
    alter: (frame) => [edited(frame, (text) => text + ' '.repeat(20_000))],
  })),
  knock('A handshake message that is no JSON', systemConfig, 'malformed', () => ({
    alter: (frame) => [edited(frame, () => '{')],
  })),
  knock('A version of the handshake that does not exist', systemConfig, 'malformed', () => ({
    alter: (frame) => [swapped(frame, '"v":1', '"v":0')],
  })),
  {
    name: 'A recorded handshake is played again', group: 'handshake', expected: handshakeFailed('signature'),
    async prepare(scene) {
      const { tap } = await scene.link(systemConfig)
      const recorded = [...tap.sent]
      const door = scene.door(systemConfig)
      return () => play(door, recorded)
    },
  },
  {
    name: 'A call takes the place of the key confirmation', group: 'handshake', expected: handshakeFailed('malformed'),
    async prepare(scene) {
      const first = firstMessage(scene.door(systemConfig))
      const door = scene.door(systemConfig)
      const call = edited(first, () => '[[0,"system-config",""],[1,1,0,9007199254740991,0,{"key":"boot/config"}]]')
      return () => play(door, [first, call])
    },
  },
  refused('Somebody on the wire takes away the stronger suite', 'signature', async (scene) => {
    const { tap, options } = scene.door(systemConfig, {
      alter: onFirst((frame) => swapped(frame, '["mac","sealed"]', '["mac"]')),
    })
    await establish(tap, options)
  }),
  refused('Somebody on the wire changes the key exchange', 'signature', async (scene) => {
    const { x } = scene.stranger.public.jwk
    const { tap, options } = scene.door(systemConfig, {
      alter: onFirst((frame) => swapped(frame, /"ephemeral":"[^"]+"/, `"ephemeral":"${x}"`)),
    })
    await establish(tap, options)
  }),
]
