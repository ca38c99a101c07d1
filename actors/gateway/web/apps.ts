import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import { findService } from '../../find-service.ts'
import { kv, NodeConfig, readRecord, ServiceSpec } from '../../records.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'

/** An installed app that answers HTTP. */
export interface App {
  /** On loopback. */
  readonly port: number
  /** Whoever comes is let through. */
  readonly public: boolean
  /** Where it is: this host, if it is here; undefined where no host that is heard of runs it. */
  readonly host: string | undefined
}

/** Undefined where there is none of that name. */
export type FindApp = (name: string) => Promise<App | undefined>

/** Reads it each time: what was installed, stopped or moved a moment ago counts. */
export function findingApps(options: {
  readonly host: string
  readonly systemConfig: Client<typeof SystemConfig>
  /** The gateway's own session. */
  readonly token: () => string
  /** The port of this gateway, which is no app's. */
  readonly ownPort: () => number
}): FindApp {
  const { host, systemConfig, token, ownPort } = options
  return async (name) => {
    const settings = { token: token(), withinMs: limits.gatewayCallMs }
    const [spec, node] = await Promise.all([kv.spec(name), kv.node(host)].map((key) =>
      systemConfig.get({ key }, settings)))
    if (!spec) return undefined
    const { appid, http, kernel } = readRecord(ServiceSpec, kv.spec(name), spec.value)
    if (!http || kernel || appid !== name || http.port === ownPort()) return undefined
    const config = node ? readRecord(NodeConfig, kv.node(host), node.value) : undefined
    const app = { port: http.port, public: http.public ?? false }
    if (config && config.state !== 'stopped' && config.services[name]?.target === 'running') return { ...app, host }
    const found = await findService(systemConfig, name, { host, key: host }, settings)
    // By its own config this host does not run it, or not any more
    return { ...app, host: found?.host === host ? undefined : found?.host }
  }
}
