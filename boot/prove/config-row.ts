import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import type { Attempt, Group } from './judge.ts'
import { APPID, scratchKey, type Scene } from './scene.ts'

interface Settings { readonly token?: string }
interface Stored { readonly value: string; readonly revision: number }

/** Who calls system-config on an honest link, by which token. */
const speakers = {
  /** By the session that this host issues itself. */
  device: async (scene: Scene): Promise<Settings> => ({ token: scene.token('session') }),
  /** By a session of verify-hub. */
  service: async (scene: Scene): Promise<Settings> => {
    const { sessionToken } = await scene.session(APPID, ['system-config'])
    return { token: sessionToken }
  },
  /** By the token that made the boot transaction. */
  scheduler: async (scene: Scene): Promise<Settings> => ({ token: scene.token('boot') }),
  nobody: async (): Promise<Settings> => ({}),
} as const

export type ConfigRow = readonly [
  name: string,
  by: keyof typeof speakers,
  reason: DenialReason,
  key: (scene: Scene) => string,
  call: (config: Client<typeof SystemConfig>, settings: Settings, key: string, stored: Stored) => Promise<unknown>,
]

/** A read that the policy does not allow. */
export const reading = (group: Group, [name, by, reason, key, call]: ConfigRow): Attempt => ({
  name, group, expected: { code: 'Denied', reason },
  async prepare(scene) {
    const { client } = await scene.connect(SystemConfig)
    const settings = await speakers[by](scene)
    return () => call(client, settings, key(scene), { value: '', revision: 0 })
  },
})

/**
 * A write that the policy does not allow. It gives back the value that is there, so that one which gets in shows by the
 * revision and breaks nothing.
 */
export const writing = (group: Group, [name, by, reason, key, call]: ConfigRow): Attempt => ({
  name, group, expected: { code: 'Denied', reason }, untouched: (scene) => [key(scene), scratchKey],
  async prepare(scene) {
    const { client } = await scene.connect(SystemConfig)
    const settings = await speakers[by](scene)
    const stored = await scene.read(key(scene)) ?? { value: '', revision: 0 }
    return () => call(client, settings, key(scene), stored)
  },
})
