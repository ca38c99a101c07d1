import type { Route } from '../route.ts'
import { barrierRoutes } from './barrier.ts'
import { capabilityRoutes } from './capabilities.ts'
import { generateRootRoutes } from './generate-root.ts'
import { mountRoutes } from './mounts.ts'
import { policyRoutes } from './policies.ts'
import { rekeyRoutes } from './rekey.ts'
import { sealRoutes } from './seal.ts'

/** In this order the first that fits answers. */
export const sysRoutes: readonly Route[] = [
  ...sealRoutes, ...capabilityRoutes, ...mountRoutes, ...policyRoutes, ...barrierRoutes, ...rekeyRoutes,
  ...generateRootRoutes,
]
