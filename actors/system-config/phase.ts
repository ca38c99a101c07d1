import type { ActorStart } from '../../runtime/actor.ts'
import { InvalidArgument, ZonewrightError } from '../../runtime/errors.ts'
import { thumbprint } from '../../runtime/trust/keys.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import type { Store } from '../../runtime/store/store.ts'
import { kv, readRecord } from '../records.ts'
import type { Phase } from '../trust-matrix.ts'
import { zoneKeys } from '../zone-keys.ts'
import type { Environment } from './environment.ts'
import { BootConfig, EpochMismatch, ZoneStoreMismatch } from './protocol.ts'
import type { KvRecord, Records } from './records.ts'

/** What this verifier trusts now. Boot phase ends when `boot/config` is there, and never comes back. */
export interface Trust {
  readonly phase: Phase
  readonly keys: readonly TrustKey[]
  readonly epoch: number
  /** Of `boot/config`; 0 in boot phase. */
  readonly revision: number
  /** That `boot/config`; empty in boot phase. */
  readonly text: string
  /** Grows with every change, so that whatever was verified before is verified again. */
  readonly generation: number
  /** Reads `boot/config` again. True when that ended boot phase. */
  reload(): Promise<boolean>
  /** @throws RecordInvalid, InvalidArgument: why this cannot be `boot/config` here */
  check(text: string): BootConfig
}

/**
 * @throws ZoneStoreMismatch when the store is not the one that this host has booted
 * @throws EpochMismatch when only one of `boot/config` and the zone document is of before a restore
 * @throws RecordInvalid, InvalidArgument when `boot/config` is damaged
 */
export async function openTrust(
  start: Pick<ActorStart, 'keys' | 'self' | 'log' | 'store'>, records: Records, environment: Environment,
): Promise<Trust> {
  const { keys, self, log, store } = start
  const { device } = environment
  let phase: Phase = 'boot'
  let trusted: readonly TrustKey[] = [device]
  let { epoch } = environment
  let revision = 0
  let text = ''
  let generation = 0

  const check = (text: string): BootConfig => {
    const config = readRecord(BootConfig, kv.bootConfig, text)
    if (config.zone !== self.zone) throw new InvalidArgument(`boot/config is of another zone: ${config.zone}`)
    checkKeys(config)
    return config
  }
  /** One key has one reason: a key with two could be taken for the other. */
  const checkKeys = ({ root, verifyHub }: BootConfig): void => {
    if (verifyHub.length < 1 || verifyHub.length > 2) {
      throw new InvalidArgument(`boot/config has one key of verify-hub, or two during rotation: ${verifyHub.length}`)
    }
    const kids = [device.kid, ...[root, ...verifyHub].map((jwk) => keys.importJwk(jwk).kid)]
    if (new Set(kids).size !== kids.length) throw new InvalidArgument('boot/config gives one key two purposes')
  }
  const install = (record: KvRecord): void => {
    const config = check(record.value)
    trusted = [device, ...zoneKeys(keys, config)]
    epoch = config.epoch
    revision = record.revision
    text = record.value
    phase = 'normal'
    generation++
  }

  const first = await records.get(kv.bootConfig)
  if (first) {
    const { zone, root } = readRecord(BootConfig, kv.bootConfig, first.value)
    if (zone !== self.zone) throw new ZoneStoreMismatch(`The store is of another zone: ${zone}`)
    // A zone is what is under one owner key; its name alone is soon chosen twice
    if (thumbprint(keys, root) !== thumbprint(keys, environment.root)) {
      throw new ZoneStoreMismatch('The store is of a zone of this name that has another owner key')
    }
    install(first)
    checkEpoch(epoch, environment.epoch)
  } else await checkEmpty(store, environment)

  return {
    get phase() { return phase },
    get keys() { return trusted },
    get epoch() { return epoch },
    get revision() { return revision },
    get text() { return text },
    get generation() { return generation },
    check,
    async reload() {
      const record = await records.get(kv.bootConfig)
      // What was deleted or damaged behind our back changes nothing here: phase never goes back
      if (!record) {
        if (phase === 'normal') log.error('boot/config is gone; what it named stays trusted until the restart')
        return false
      }
      if (record.revision <= revision) return false
      const left = phase === 'boot'
      try {
        install(record)
      } catch (error) {
        if (!(error instanceof ZonewrightError)) throw error
        const { code } = error
        log.error('boot/config is damaged; what it named before stays trusted', { code, revision: record.revision })
        return false
      }
      return left
    },
  }
}

/** The devices sign what they issue with the epoch of the document, and nothing would be accepted of it. */
function checkEpoch(config: number, document: number): void {
  if (config === document) return
  const put = config > document ? 'the identity.json that belongs to these stores' : 'the stores of this identity.json'
  throw new EpochMismatch(`boot/config is of epoch ${config}, but the zone document of this host of ${document}`, {
    config, document,
    next: `Put back ${put}, or give both a new epoch by \`restore epoch\` with the owner key: all sessions end then`,
  })
}

/** Boot phase only on a host and in a store that know of no zone (DESIGN §6). */
async function checkEmpty(store: Store, { booted }: Environment): Promise<void> {
  if (booted) throw new ZoneStoreMismatch('This host has booted a zone, but its store has no boot/config')
  // Not of kv:// alone: a ledger of used tokens is of a zone as well
  const [entry] = (await store.list('', { limit: 1 })).entries
  if (entry) throw new ZoneStoreMismatch(`The store has no boot/config, but it is not empty: ${entry.key}`)
}
