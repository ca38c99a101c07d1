/** Those of the services beside the control plane; see `registry.ts`. */
export const ofServices: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'limits/services.test.ts': {
    'as many gauges as an actor may have are told, and one that is taken back makes room': ['gauges'],
    'one network is answered as often as the limit, twice as often at once, and others beside it': [
      'dnsQueriesPerSecond',
    ],
    'as many networks as the limit are counted, and the one that was quiet longest is forgotten': ['dnsNetworks'],
    'a query by TCP may be as long as the limit, and come in as many pieces, and no more': [
      'dnsQueryBytes', 'dnsPieces',
    ],
    'a name server listens with its limits, and learns of a change a moment later, once for many': [
      'dnsConnections', 'dnsIdleMs', 'dnsQueryBytes', 'dnsSettleMs',
    ],
    'one address has as many connections to the name server as its share, and another has its own': [
      'dnsConnectionsPerAddress',
    ],
    'a round comes when something is due, and as often as the limit': [
      'certificateRoundMs', 'certificateKeepMs',
    ],
    'after a round that failed the next comes soon, and then ever later': [
      'certificateRetryMsMin', 'certificateRetryMsMax',
    ],
    'the inventory is told in pages of at most the limit': ['certificatesShown'],
    'the command line collects as many certificates as the limit, and says when there are more': ['clientCertificates'],
  },
  'limits/reports.test.ts': {
    'a host reports as often as it is to, and is silent when nobody asks': [
      'reportMs', 'reportLookMs', 'reportActors', 'reportSoonMs',
    ],
  },
  'runtime/sockets.test.ts': {
    'as many answers wait for the network as the limit, and what asks for more is dropped': ['datagramsSending'],
  },
  'actors/cert-manager-due.test.ts': {
    'the next one signs when everybody can have heard of it, and not while nobody was told': ['rootsHeardMs'],
    'as many holders are looked at, and as many of them told, as the limits say; the others are counted': [
      'certificatePage', 'certificateHolders', 'certificatesTold',
    ],
  },
  'actors/node-monitor.test.ts': {
    'a host is up by its first report, suspect when it is late, and down when it stays silent': [
      'nodeSuspectMs', 'nodeDownMs',
    ],
    'a host that was missed is up after as many reports in time as the limit, and not by one': ['nodeReportsUp'],
    'hosts come and go, and as many are watched as the limit': ['nodesWatched'],
    'a reader who takes nothing is let go with the change that is one too many': ['nodeChanges'],
  },
}
