import definition from '../../actors/scheduler/boot-actor.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { variants } from './variants.ts'

export default variants.bootSchedulerWithForgedToken.change(definition as unknown as ActorDefinition)
