import { ofLeading } from './registry-leading.ts'
import { join } from './registry-join.ts'
import { tunnel } from './registry-tunnel.ts'
import { tunnels } from './registry-tunnels.ts'
import { clientDevice } from './registry-client-device.ts'
import { carrier } from './registry-carrier.ts'
import { joinOods } from './registry-join-ood.ts'
import { registration } from './registry-registration.ts'
import { placement } from './registry-placement.ts'
import { span } from './registry-span.ts'
import { edge } from './registry-edge.ts'
import { scale } from './registry-scale.ts'
import { relay } from './registry-relay.ts'
import { uplink } from './registry-uplink.ts'
import type { Coverage } from './registry-verify-hub.ts'

/** Where the limits of hosts are tested: how they join, are connected, lead, and get services. */
export const ofHosts: Coverage = {
  ...ofLeading,
  ...join,
  ...tunnel,
  ...tunnels,
  ...clientDevice,
  ...carrier,
  ...joinOods,
  ...registration,
  ...placement,
  ...span,
  ...edge,
  ...scale,
  ...relay,
  ...uplink,
}
