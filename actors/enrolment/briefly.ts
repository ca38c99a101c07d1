import type { CallSettings } from '../../runtime/protocol.ts'

/** The same client, whose calls wait so many milliseconds for who is away where a call says nothing of that. */
export function briefly<C extends object>(client: C, withinMs: number): C {
  const calls = Object.entries(client).map(([name, method]: [string, unknown]) => [name,
    typeof method === 'function' ? (args: unknown, settings: CallSettings = {}): unknown =>
      Reflect.apply(method, client, [args, { withinMs, ...settings }]) : method] as const)
  return Object.fromEntries(calls) as C
}
