import type { ActorDefinition } from '../../runtime/actor.ts'
import { supervise, worker, type Supervised } from '../../runtime/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { simulate } from '../../runtime/sim/simulate.ts'
import hub from './hub.ts'
import ledger from './ledger.ts'
import left from './left.ts'
import { Hub, Ledger, Left, Right, type Handed, type Sent } from './protocol.ts'
import rightSwaps from './right-swaps.ts'
import right from './right.ts'
import { speak, type Callees } from './speak.ts'

const ledgerUrl = new URL('./ledger.ts', import.meta.url)
const hubUrl = new URL('./hub.ts', import.meta.url)
const leftUrl = new URL('./left.ts', import.meta.url)
const rights = {
  right: new URL('./right.ts', import.meta.url),
  'right that swaps two messages': new URL('./right-swaps.ts', import.meta.url),
}

// What an actor needs is typed by its clients; the kernel handles them all alike
const asDefinition = (definition: unknown): ActorDefinition => definition as ActorDefinition
const modules: ReadonlyMap<string, ActorDefinition> = new Map([
  [ledgerUrl.href, asDefinition(ledger)], [hubUrl.href, asDefinition(hub)], [leftUrl.href, asDefinition(left)],
  [rights.right.href, asDefinition(right)], [rights['right that swaps two messages'].href, asDefinition(rightSwaps)],
])

/** By life of the sender: `left 1`, then `left 2` when it was started again. */
type SentBy = readonly (readonly [life: string, sent: readonly Sent[]])[]

export interface Run {
  readonly sent: SentBy
  /** What the callees were handed. */
  readonly ledger: readonly Handed[]
  readonly hub: readonly Handed[]
}

export type Script = (zone: Supervised) => Promise<SentBy>

const LONG = { withinMs: 60_000 }
const calleesOf = (zone: Supervised): Callees => ({ ledger: zone.get(Ledger), hub: zone.get(Hub) })

/** Two actors and the supervisor speak to the ledger and the hub at once; then one is killed, and speaks again. */
export async function everybody(zone: Supervised): Promise<SentBy> {
  const left = (): Promise<Sent[]> => zone.get(Left).speak({ as: 'left' }, LONG)
  const supervisor = (): Promise<Sent[]> => speak('supervisor', calleesOf(zone))
  const first = await Promise.all([left(), zone.get(Right).speak({ as: 'right' }, LONG), supervisor()])
  await zone.kill('left')
  const second = await Promise.all([left(), supervisor()])
  return [
    ['left 1', first[0]], ['right 1', first[1]], ['left 2', second[0]], ['supervisor 1', [...first[2], ...second[1]]],
  ]
}

/** An actor is killed as it speaks, once the ledger was handed so many messages of it; then it speaks as another. */
export const killed = (afterMessages: number): Script => async (zone) => {
  const { ledger } = calleesOf(zone)
  const cut = zone.get(Left).speak({ as: 'left' }, LONG).then(() => {}, () => {})
  const said = async (): Promise<number> => (await ledger.handed({})).filter(({ caller }) => caller === 'left').length
  while (await said() < afterMessages);
  await zone.kill('left')
  await cut
  return [['left 2', await zone.get(Left).speak({ as: 'another' }, LONG)]]
}

async function play(script: Script, right: keyof typeof rights, platform?: Platform): Promise<Run> {
  const zone = await supervise([
    worker(Ledger, ledgerUrl), worker(Hub, hubUrl), worker(Left, leftUrl), worker(Right, rights[right]),
  ], platform ? { platform } : {})
  try {
    const sent = await script(zone)
    const { ledger, hub } = calleesOf(zone)
    return {
      sent: [...sent, ['hub 1', await hub.sent({})]], ledger: await ledger.handed({}), hub: await hub.handed({}),
    }
  } finally {
    await zone.stop()
  }
}

/** In worker threads of this runtime. */
export const playInWorkers = (script: Script, right: keyof typeof rights = 'right'): Promise<Run> =>
  play(script, right)

export async function playSimulated(
  seed: number, script: Script, right: keyof typeof rights = 'right',
): Promise<Run> {
  let run: Run | undefined
  const options = { seed, keys: 'cheap', modules, maxEvents: 1_000_000, maxVirtualMs: 600_000 } as const
  await simulate(options, async (world) => {
    run = await play(script, right, world.startProcess('ood1').platform)
  })
  return run!
}
