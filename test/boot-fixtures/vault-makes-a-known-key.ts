import definition from '../../actors/vault/actor.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { variants } from './variants.ts'

export default variants.vaultMakesAKnownKey.change(definition as unknown as ActorDefinition)
