import type { Area } from '../guarded.ts'
import { GenerateRoot } from '../seal/generate-root.ts'
import { Rekey } from '../seal/rekey.ts'
import type { Services } from './services.ts'
import { TOKEN_CHARACTERS } from './tokens/names.ts'

/** What people with shares of the root key have under way. */
export interface Operator {
  readonly rekey: Rekey
  readonly generateRoot: GenerateRoot
}

export const createOperator = ({ core, audit, start }: Area): Operator => ({
  rekey: new Rekey(core, audit, start.secrets),
  generateRoot: new GenerateRoot(core, audit, TOKEN_CHARACTERS),
})

/** A token that may do everything, and does not end. */
export async function rootToken({ tokens }: Services): Promise<string> {
  const made = await tokens.create({
    policies: ['root'], displayName: 'root', path: 'auth/token/root', ttl: 0, explicitMaxTtl: 0, period: 0,
    renewable: false, numUses: 0,
  })
  return made!.token
}
