import { actor } from '../../runtime/actor.ts'
import type { Client } from '../../runtime/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { kv, readRecord } from '../records.ts'
import { hasExpired, openSession } from '../session.ts'
import { BootConfig, SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { Scheduler } from './protocol.ts'
import { readDeviceBy } from './read-device.ts'
import { changes, inputPrefixes, schedule } from './schedule.ts'

const APPID = 'scheduler'
/** The key whose revision orders the rounds of all schedulers: of two that read the same state, one writes. */
const roundKey = 'system/scheduler/snapshot'

export default actor(Scheduler, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon }, stateless: true,
}, async (start) => {
  const { needs, clock, random, keys, env, log, stopping, background, step, self } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())

  const round = async (): Promise<{ revision: number; written: string[] }> => {
    const { items, revision } = await needs.systemConfig.dump(
      { prefixes: [kv.bootConfig, roundKey, ...inputPrefixes] }, { token: session.token() },
    )
    const config = new Map(items.map(({ key, value }) => [key, value]))
    const boot = readRecord(BootConfig, kv.bootConfig, config.get(kv.bootConfig) ?? '')
    const wanted = changes(config, schedule(config, readDeviceBy(keys, boot)))
    if (wanted.length === 0) return { revision, written: [] }
    const last = items.find(({ key }) => key === roundKey)?.revision ?? 0
    const write = (key: string, value: string) =>
      [key, config.has(key) ? { action: 'update' as const, value } : { action: 'create' as const, value }] as const
    const written = await needs.systemConfig.execTx({
      actions: Object.fromEntries([...wanted.map(([key, value]) => write(key, value)), write(roundKey, JSON.stringify({ from: revision }))]),
      mainKey: { key: roundKey, revision: last },
    }, { token: session.token() })
    return { revision: written.revision, written: wanted.map(([key]) => key) }
  }

  background(async () => {
    let failures = 0
    while (!stopping.aborted) {
      wake = new AbortController()
      failures = await round().then(() => 0, (error: Error) => {
        if (!stopping.aborted) log.warn(`A round of the scheduler failed: ${error.message}`)
        return failures + 1
      })
      const waitMs = failures === 0 ? limits.schedulerRoundMs : Math.min(limits.schedulerRoundMs, limits.schedulerRetryMs * 2 ** failures)
      await pause(clock, waitMs, wake.signal)
    }
  })
  for (const prefix of ['devices/', 'services/', 'users/'] as const) background(() => follow(prefix))

  /** A change of input wakes the loop; the loop itself decides whether anything follows from it. */
  async function follow(prefix: string): Promise<void> {
    let after = 0
    while (!stopping.aborted) {
      try {
        after ||= (await needs.systemConfig.dump({ prefixes: [prefix] }, { token: session.token() })).revision
        for await (const event of watch(needs.systemConfig, prefix, after)) {
          after = event.revision
          wake.abort()
        }
      } catch (error) {
        if (stopping.aborted) return
        // After the end of a token the next watch goes on where this one stopped
        if (!hasExpired(error)) {
          log.warn(`The watch of ${prefix} ended: ${error instanceof Error ? error.message : String(error)}`)
          after = 0
        }
      }
      await pause(clock, limits.schedulerRetryMs, stopping)
    }
  }

  const watch = (systemConfig: Client<typeof SystemConfig>, prefix: string, after: number) =>
    systemConfig.watch({ prefix, after }, { token: session.token(), signal: stopping })

  return {
    handlers: { round },
    lifecycle: { admit: (peer) => peer.host === self.host && ['supervisor', 'node-daemon', 'gateway'].includes(peer.actor) },
  }
})
