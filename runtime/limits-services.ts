/** Of `limits`: what bounds the services that a zone runs beside its control plane. */
export const serviceLimits = {
  /** Datagrams of one server that the network has not taken yet; answers to more are dropped. */
  datagramsSending: 1_024,
  /** Bytes of one DNS query; a longer one is dropped, or ends its connection. */
  dnsQueryBytes: 4_096,
  /** DNS queries a second by UDP of one network (/24, /56), twice as many at once; more get silence, or TC. */
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
  /**
   * Milliseconds after which a published root set is taken to be known to everybody: one lives for 30 days and is read
   * anew at half of that; half of this again for who was away.
   */
  rootsHeardMs: 22 * 86_400_000,
  /** Milliseconds between rounds of the certificate manager, when nothing is due before; after one that failed. */
  certificateRoundMs: 6 * 3_600_000,
  certificateRetryMsMin: 1_000,
  certificateRetryMsMax: 300_000,
  /** Certificates of one page of the inventory as it is read, and as it is told. */
  certificatePage: 1_000,
  certificatesShown: 200,
  /** Holders of which the newest certificate is looked for in one round; those beyond are only counted. */
  certificateHolders: 100_000,
  /** Certificates near their end that are told one by one; those beyond end later. */
  certificatesTold: 100,
  /** Milliseconds that a certificate is kept in the inventory after its end. */
  certificateKeepMs: 30 * 86_400_000,
  /** Milliseconds between two reports of a host, where somebody watches, and between looks for changes otherwise. */
  reportMs: 10_000,
  reportLookMs: 60_000,
  /** Actors of which a host tells, and milliseconds after a report before what it runs now makes another one. */
  reportActors: 256,
  reportSoonMs: 500,
  /** Milliseconds without a report after which a host is suspected, and after which it is taken to be down. */
  nodeSuspectMs: 25_000,
  nodeDownMs: 45_000,
  /** Reports in a row, none late, by which a host that was missed is up again. */
  nodeReportsUp: 2,
  /** Hosts that are watched; more are not, and that is told. Changes that wait for one reader; then its stream ends. */
  nodesWatched: 10_000,
  nodeChanges: 10_000,
} as const
