import definition from '../../actors/gateway/actor.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { variants } from './variants.ts'

export default variants.gatewayCannotListen.change(definition as unknown as ActorDefinition)
