import definition from '../../actors/service/actor.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { variants } from './variants.ts'

export default variants.serviceWithForgedLoginToken.change(definition as unknown as ActorDefinition)
