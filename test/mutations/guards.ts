/**
 * The safety guards of the production code. A new guard gets a row here, with the test that fails without it.
 * Which ones there are is for people to say; that each of these is noticed is what is tested.
 */
import type { Guard } from './guard.ts'
import { trust } from './guards/trust.ts'
import { link } from './guards/link.ts'
import { link2 } from './guards/link-2.ts'
import { systemConfig } from './guards/system-config.ts'
import { systemConfig2 } from './guards/system-config-2.ts'
import { verifyHub } from './guards/verify-hub.ts'
import { store } from './guards/store.ts'

export { secondLines } from './guards/second-lines.ts'

export const guards: readonly Guard[] = [
  ...trust,
  ...link,
  ...link2,
  ...systemConfig,
  ...systemConfig2,
  ...verifyHub,
  ...store,
]
