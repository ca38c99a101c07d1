/** Of `limits`: what bounds a host that reaches its zone over a wire, and the control plane's end of that. */
export const uplinkLimits = {
  /** Servers of the control plane that a host knows; roots and anchors that it keeps. */
  uplinkServers: 16,
  hostRoots: 16,
} as const
