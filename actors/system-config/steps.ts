import type { ActorStart } from '../../runtime/actor.ts'
import type { TrustKey } from '../../runtime/trust/token.ts'
import { bootStep } from '../boot-steps.ts'
import { NODE_SEQUENCE, nodeStep } from '../node-steps.ts'
import { kv } from '../records.ts'
import type { Trust } from './phase.ts'
import type { Session } from './sessions.ts'

/** The documented steps that system-config is the receiver of, each told once in a start. */
export interface Steps {
  trustKeyReceived(device: TrustKey): void
  firstWrite(session: Session, revision: number, keys: number): void
  normalPhase(trust: Trust, firstBoot: boolean): void
  /** An authenticated read that was allowed. `revision` is that of the key, if there is one. */
  read(session: Session, key: string, revision: number): void
}

export function createSteps(start: Pick<ActorStart, 'step' | 'self'>): Steps {
  const told = new Set<string>()
  const tell = (number: number, once: string, evidence: Parameters<ActorStart['step']>[2]): void => {
    if (told.has(once)) return
    told.add(once)
    start.step('boot', number, evidence)
  }
  const tellNode = (host: string, evidence: Parameters<ActorStart['step']>[2]): void => {
    const once = `node ${host}`
    if (told.has(once)) return
    told.add(once)
    start.step(NODE_SEQUENCE, nodeStep.configRead, evidence)
  }
  return {
    trustKeyReceived({ kid, issuer, reason }) {
      tell(bootStep.trustKeyReceived, 'trustKeyReceived', { kid, device: issuer, reason })
    },
    firstWrite({ kid, jti, speaker }, revision, keys) {
      tell(bootStep.firstWrite, 'firstWrite', { kid, jti, sub: speaker.sub, revision, keys })
    },
    normalPhase(trust, firstBoot) {
      const trusts = trust.keys.map(({ reason }) => reason).join(' ')
      tell(bootStep.normalPhase, 'normalPhase', { revision: trust.revision, trusts, firstBoot })
    },
    read({ rule, kid, jti, speaker }, key, revision) {
      const { sub, appid, runtimeType, sid } = speaker
      const way = rule.slice(rule.lastIndexOf('/') + 1)
      if (way === 'deviceSession' && key === kv.node(start.self.host) && revision > 0) {
        tell(bootStep.deviceSession, way, { kid, jti, sub, revision })
      } else if (way === 'verifyHubSelf') {
        tell(bootStep.verifyHubSession, way, { kid, jti, sub, key })
      } else if (way === 'session' && runtimeType === 'node') {
        if (key === kv.node(sub)) tellNode(sub, { kid, jti, sub, sid: sid ?? '', revision })
      } else if (way === 'session' && runtimeType !== 'user') {
        tell(bootStep.serviceSession, `${way} ${appid}`, { kid, jti, sub, appid, sid: sid ?? '', key })
      }
    },
  }
}
