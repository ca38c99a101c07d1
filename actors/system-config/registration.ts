import type { Keys } from '../../runtime/platform/ports.ts'
import { RevisionMismatch } from '../../runtime/errors.ts'
import { readDeviceBy } from '../read-device.ts'
import { kv } from '../records.ts'
import type { Environment } from './environment.ts'
import type { Guard, Records } from './records.ts'
import type { Caller, Session } from './sessions.ts'
import type { KvAction } from './transaction.ts'

/**
 * What the kernel service `enrolment` may do to documents of devices, which are root's otherwise: put one there that an
 * enrolment key of this zone signed, and take such a one away. Whatever the owner signed it leaves alone.
 */
export interface Registration {
  /** Whether it is this service that asks about such a document, by its own link. */
  concerns(cx: Pick<Caller, 'peer'>, session: Session, key: string): boolean
  /** Why it may not; undefined when it may. @throws RevisionMismatch */
  refusal(actions: ReadonlyMap<string, KvAction>, mainKey: Guard | undefined): Promise<string | undefined>
}

const DOCUMENT = /^devices\/([^/]+)\/doc$/
const SERVICE = 'enrolment'

export function createRegistration(
  { keys, self }: { readonly keys: Keys; readonly self: { readonly zone: string } },
  { environment: { root }, records }: {
    readonly environment: Pick<Environment, 'root'>; readonly records: Pick<Records, 'get'>
  },
): Registration {
  const readDevice = readDeviceBy(keys, { zone: self.zone, root })
  const stored = async (key: string): Promise<string | undefined> => (await records.get(key))?.value

  /** By a key that an OOD stands for now: what it stood for once is not enough. */
  const valueRefusal = async (key: string, text: string): Promise<string | undefined> => {
    const document = readDevice(text)
    if (!document?.enrolment) return 'no enrolment key of this zone signed it'
    if (kv.device(document.name) !== key) return `it is of another device: ${document.name}`
    // What runs on a host speaks under its name, and would be given what is the user's
    if (await stored(kv.user(document.name)) !== undefined) return `a user has its name: ${document.name}`
    const { ood, certificate } = document.enrolment
    const name = readDevice(ood)!.name
    if (await stored(kv.enrolment(name)) !== certificate) return `${kv.enrolment(name)} is another certificate`
    if (await stored(kv.device(name)) !== ood) return `${kv.device(name)} is another document`
    return undefined
  }

  return {
    concerns: ({ peer }, { speaker, use }, key) => DOCUMENT.test(key)
      && use === 'session' && speaker.appid === SERVICE && speaker.runtimeType === 'kernel-service'
      && peer.actor === SERVICE && peer.runtimeType === 'kernel-service',
    async refusal(actions, mainKey) {
      const [entry, ...others] = actions
      const [key, action] = entry!
      if (others.length > 0 || mainKey?.key !== key) return 'it is not one document, compared with what is there'
      const there = await records.get(key)
      const actual = there?.revision ?? 0
      // What was looked at here is what the transaction replaces, or it does not hold
      if (actual !== mainKey.revision) {
        throw new RevisionMismatch(`Revision mismatch for key ${key}: expected ${mainKey.revision}, actual ${actual}`, {
          key, expected: mainKey.revision, actual,
        })
      }
      const before = there && readDevice(there.value)
      if (before && !before.enrolment) return 'the owner signed what is there'
      if (action.action === 'remove') return undefined
      if (action.action !== 'create' && action.action !== 'update') return 'it is only written as a whole'
      return await valueRefusal(key, action.value)
    },
  }
}
