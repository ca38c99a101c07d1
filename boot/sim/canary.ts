import { looseObject, safeParse, string } from 'valibot'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { ActorDefinition, Serving } from '../../runtime/actor.ts'
import type { Protocol } from '../../runtime/protocol.ts'
import type { FaultKind } from './faults.ts'
import type { RunHooks } from './run.ts'

const Set = looseObject({ method: string(), params: looseObject({ key: string() }) })
const METHOD = 'sys_config_set'
/** What the desk counts on. */
const WRITTEN = 'users/owner/sim/'

type Call = (args: unknown, context: unknown) => unknown

/**
 * Plants a defect: system-config puts what it is asked to set beside its key, and acknowledges it. From the beginning,
 * or once a fault of this kind has struck. Whoever checks the checks runs it.
 */
export function canary(hooks: RunHooks, after?: FaultKind): RunHooks {
  let loses = after === undefined
  const struck = new RegExp(`^\\d+ note fault \\d+ ${after} `)
  const change = (name: string, given: ActorDefinition): ActorDefinition => {
    const definition = hooks.change ? hooks.change(name, given) : given
    return name === SystemConfig.name ? losing(definition, () => loses) : definition
  }
  const onLine = (line: string): void => {
    loses ||= struck.test(line)
    hooks.onLine?.(line)
  }
  return { ...hooks, onLine, change }
}

const losing = (definition: ActorDefinition, loses: () => boolean): ActorDefinition => ({
  ...definition,
  async start(start) {
    const serving = await definition.start(start) as unknown as { handlers: Record<string, Call>; lifecycle: object }
    const krpc: Call = (args, context) =>
      serving.handlers['krpc']!(loses() ? beside(args) : args, context)
    return { ...serving, handlers: { ...serving.handlers, krpc } } as unknown as Serving<Protocol, {}>
  },
})

function beside(args: unknown): unknown {
  const parsed = safeParse(Set, args)
  if (!parsed.success || parsed.output.method !== METHOD) return args
  const { params, ...rest } = parsed.output
  if (!params.key.startsWith(WRITTEN)) return args
  return { ...rest, params: { ...params, key: `${params.key}-lost` } }
}
