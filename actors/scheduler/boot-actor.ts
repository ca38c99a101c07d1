import { actor } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { parseCompact } from '../../runtime/trust/jws.ts'
import { limits } from '../../runtime/limits.ts'
import { bootStep } from '../boot-steps.ts'
import { kv } from '../records.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { Vault } from '../vault/protocol.ts'
import { verifyZoneDocument } from '../zone-document.ts'
import { bootPlan } from './boot-plan.ts'
import { askedFor } from './built-in.ts'
import { BootScheduler } from './protocol.ts'
import { readDeviceBy } from '../read-device.ts'
import type { ReadDevice } from '../read-device.ts'

/** Seed: BOOT 2. Runs once, before there is a verify-hub to log in to; its ENV holds all that it knows. */
export default actor(BootScheduler, {
  needs: { systemConfig: SystemConfig, vault: Vault }, stateless: true,
}, ({ needs, env, keys, self, step }) => {
  const token = fromEnv(env, 'SCHEDULER_SESSION_TOKEN')
  const deviceDocument = fromEnv(env, 'BUCKYOS_THIS_DEVICE')
  const verdict = verifyZoneDocument(keys, fromEnv(env, 'BUCKYOS_ZONE_DOC'))
  if (!verdict.accepted) {
    throw new StartFailed(`The ENV of the boot scheduler has a wrong BUCKYOS_ZONE_DOC: ${verdict.denial.reason}`)
  }
  const zone = verdict.payload
  if (zone.zone !== self.zone) throw new StartFailed(`The zone document is of another zone: ${zone.zone}`)
  step('boot', bootStep.bootTokenReceived, tokenEvidence(token))

  return {
    handlers: {
      async bootSchedule() {
        const verifyHub = await needs.vault.ensureKey({ name: 'verify-hub' })
        const readDevice = readDeviceBy(keys, zone)
        const nodeDocuments = nodesIn(env, zone.host, readDevice)
        const asked = askedFor(env) ?? new Set<string>()
        const verifyHubKey = verifyHub.publicKey
        const plan = bootPlan({ zone, deviceDocument, nodeDocuments, verifyHubKey, readDevice, asked })
        const actions = Object.fromEntries([...plan].map(([key, value]) => [key, { action: 'create' as const, value }]))
        const mainKey = { key: kv.bootConfig, revision: 0 }
        const { revision } = await needs.systemConfig.execTx({ actions, mainKey }, { token })
        return { revision, skipped: 0, verifyHubKid: verifyHub.kid }
      },
    },
    // No `authenticate`: every token is denied
    lifecycle: { admit: (peer) => peer.actor === 'supervisor' && peer.host === self.host },
  }
})

function fromEnv(env: Readonly<Record<string, string>>, name: string): string {
  const value = env[name]
  if (value === undefined) throw new StartFailed(`The ENV of the boot scheduler lacks ${name}`, { name })
  return value
}

/** The other hosts that the zone begins with, each as the owner signed it; none may take another's name. */
function nodesIn(
  env: Readonly<Record<string, string>>, ood: string, readDevice: ReadDevice,
): ReadonlyMap<string, string> {
  const documents = new Map<string, string>()
  for (const text of (env['ZONEWRIGHT_NODE_DOCS'] ?? '').split(' ').filter(Boolean)) {
    const device = readDevice(text)
    if (!device || device.name === ood || documents.has(device.name)) {
      const what = device ? `the one of ${device.name} (${device.role})` : 'one that the owner key did not sign'
      throw new StartFailed(`The ENV of the boot scheduler has a wrong ZONEWRIGHT_NODE_DOCS: ${what}`)
    }
    documents.set(device.name, text)
  }
  return documents
}

/** What may be told of a token: who signed it and its number, never the token. */
function tokenEvidence(token: string): Record<string, string> {
  const parsed = parseCompact(token, limits.token)
  if (!('jws' in parsed)) throw new StartFailed('The token in the ENV is not a token: SCHEDULER_SESSION_TOKEN')
  const { jti, sub } = parsed.jws.payload as { jti?: unknown; sub?: unknown }
  return { kid: parsed.jws.header.kid, jti: String(jti), sub: String(sub) }
}
