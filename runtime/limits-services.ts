/** Of `limits`: what bounds the services that a zone runs beside its control plane. */
export const serviceLimits = {
  /** Datagrams of one server that the network has not taken yet; answers to more are dropped. */
  datagramsSending: 1_024,
  /** Bytes of one DNS query; a longer one is dropped, or ends its connection. */
  dnsQueryBytes: 4_096,
  /** DNS queries a second by UDP of one network (/24, /56), twice as many in one go; what is more gets silence or TC. */
  dnsQueriesPerSecond: 200,
  /** Networks whose queries are counted; the one that was quiet longest is forgotten. */
  dnsNetworks: 4_096,
  /** DNS connections in all and of one address, and milliseconds that one may bring nothing; then it is closed. */
  dnsConnections: 128,
  dnsConnectionsPerAddress: 32,
  dnsIdleMs: 10_000,
  /** Pieces in which one DNS query may come by TCP; one of more ends its connection. */
  dnsPieces: 64,
  /** Milliseconds between a change of the zone's config and its names, so that many changes are read once. */
  dnsSettleMs: 100,
} as const
