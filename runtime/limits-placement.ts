/** Of `limits`: where services run, and when they leave a host. */
export const placementLimits = {
  /** Milliseconds for which a host must be lost until its services are started elsewhere. */
  hostLostMs: 120_000,
  /**
   * Milliseconds after which a host that cannot read its config, or reads that it is lost, stops what may be started
   * elsewhere. Less than the ones above by what a stop may take: until then the zone waits.
   */
  hostFenceMs: 75_000,
  /** Milliseconds between two such readings. */
  hostConfirmMs: 10_000,
  /** Labels of one host or service; a config or a spec with more is refused. */
  labels: 32,
} as const
