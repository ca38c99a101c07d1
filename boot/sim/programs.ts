import { kv } from '../../actors/records.ts'
import { Programs } from '../../runtime/sim/programs.ts'

export const WEB_PATH = '/opt/zone/web'
export const WEB_PORT = 9_000
/** It listens nowhere: a host can run many of it. */
export const QUIET = '/opt/zone/quiet'
export const WEB = 'web'

/** What the simulated hosts can run: a web server with a health page, and what listens nowhere; both end soon. */
export const createPrograms = (): Programs => new Programs({
  [WEB_PATH](started) {
    started.serve(WEB_PORT, async () => ({ status: 200, headers: {}, body: 'well' })).then(
      () => started.line('stdout', 'listening'), () => started.exit(1),
    )
    started.onSignal(() => void started.clock.after(5, () => started.exit(0)))
  },
  [QUIET](started) {
    started.onSignal(() => void started.clock.after(5, () => started.exit(0)))
  },
})

/** Key and text of its spec, as `services add` writes it. */
export const webSpec = {
  key: kv.spec(WEB),
  value: JSON.stringify({
    name: WEB, appid: WEB, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: 2,
    run: { command: [WEB_PATH], health: { http: { port: WEB_PORT, path: '/' } } },
  }),
} as const
