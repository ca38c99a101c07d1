import type { Route } from '../route.ts'
import { capabilityRoutes } from './capabilities.ts'
import { mountRoutes } from './mounts.ts'
import { policyRoutes } from './policies.ts'
import { sealRoutes } from './seal.ts'

/** In this order the first that fits answers. */
export const sysRoutes: readonly Route[] = [...sealRoutes, ...capabilityRoutes, ...policyRoutes, ...mountRoutes]
