/** Which tests run where, and how long they may take. */

/** Node as installed, a current Node, Deno. */
export type RuntimeName = 'node' | 'current' | 'deno'

export interface Suite {
  readonly name: string
  readonly files: RegExp
  /** One file; then it is killed. */
  readonly fileSeconds: number
  /** All its files on one runtime, added up; more is a failure, so that the suite stays quick. */
  readonly suiteSeconds: number
  /** Runs on this runtime alone; on the oldest Node and on Deno. */
  readonly only?: RuntimeName | 'oldest and deno'
}

/** The first row that matches a file. */
export const suites: readonly Suite[] = [
  { name: 'type check', files: /^check:/, fileSeconds: 60, suiteSeconds: 60 },
  { name: 'guards taken out', files: /^test\/mutations\.test/, fileSeconds: 240, suiteSeconds: 150, only: 'node' },
  { name: 'storm', files: /^test\/storm\.test/, fileSeconds: 240, suiteSeconds: 240, only: 'current' },
  { name: 'crash at each step', files: /\/crash\b/, fileSeconds: 120, suiteSeconds: 120, only: 'oldest and deno' },
  // All orders with the loss of power at each step of a first boot; of all other cases a share chosen by the commit
  { name: 'start orders', files: /\/start-orders\b/, fileSeconds: 120, suiteSeconds: 120, only: 'oldest and deno' },
  { name: 'years and moves', files: /^test\/(years|migrate-simulated)\b/, fileSeconds: 120, suiteSeconds: 180,
    only: 'oldest and deno' },
  { name: 'moves into etcd', files: /^test\/(migrate|cli-migrate|etcd-zone|runtime\/store-mov)/, fileSeconds: 120,
    suiteSeconds: 240, only: 'oldest and deno' },
  {
    name: 'certificates of the vault',
    files: /^test\/actors\/(pki|join|enrolment|vault-(http|kv|listener|policies|tokens))/,
    fileSeconds: 60, suiteSeconds: 180, only: 'oldest and deno',
  },
  { name: 'restart intensity', files: /\/restart-intensity\b/, fileSeconds: 90, suiteSeconds: 90 },
  { name: 'bad input', files: /\/bad-input\b/, fileSeconds: 120, suiteSeconds: 120, only: 'oldest and deno' },
  { name: 'backup and restore', files: /\/backup\b/, fileSeconds: 120, suiteSeconds: 300, only: 'oldest and deno' },
  { name: 'key rotation', files: /^test\/(http-rotation|cli-keys)\b/, fileSeconds: 90, suiteSeconds: 150,
    only: 'oldest and deno' },
  { name: 'join', files: /^test\/join/, fileSeconds: 120, suiteSeconds: 300, only: 'oldest and deno' },
  { name: 'hosts that are struck', files: /^test\/(hosts-netns-faults|chaos)\b/, fileSeconds: 180, suiteSeconds: 300,
    only: 'oldest and deno' },
  { name: 'hosts on addresses of their own',
    files: /^test\/(hosts-(netns|readme)|epoch-|joined-host|boot\/(netns|host-))/, fileSeconds: 120,
    suiteSeconds: 300, only: 'oldest and deno' },
  { name: 'uplinks', files: /^test\/(tunnel-(admission|revocation)|actors\/uplink)/, fileSeconds: 60,
    suiteSeconds: 150, only: 'oldest and deno' },
  { name: 'vault', files: /^test\/(cli-)?vault-?/, fileSeconds: 90, suiteSeconds: 150, only: 'oldest and deno' },
  { name: 'command line', files: /\/cli\b/, fileSeconds: 90, suiteSeconds: 300, only: 'oldest and deno' },
  { name: 'proofs of sign-in', files: /^test\/(attack-|matrix-|review|defects|runtime\/trust-jose)/, fileSeconds: 90,
    suiteSeconds: 200 },
  { name: 'on etcd', files: /^test\/(etcd-start|etcd-away|etcd-readme|gen-pems|boot\/(gen-pems|recover-etcd|etcd-))/,
    fileSeconds: 120, suiteSeconds: 300, only: 'oldest and deno' },
  { name: 'several OODs', files: /^test\/oods/, fileSeconds: 120, suiteSeconds: 240, only: 'oldest and deno' },
  { name: 'zones', files: /\/(sequences|attacks|boot|cli|up)\b/, fileSeconds: 60, suiteSeconds: 120 },
  { name: 'processes', files: /\/processes/, fileSeconds: 90, suiteSeconds: 150 },
  {
    name: 'services on request',
    files: /^test\/(actors\/(cert-manager|node-monitor|services-on-request|dns)|dns-zone|limits\/(services|reports))/,
    fileSeconds: 60, suiteSeconds: 120, only: 'oldest and deno',
  },
  { name: 'client devices', files: /^test\/client-device/, fileSeconds: 120, suiteSeconds: 240,
    only: 'oldest and deno' },
  { name: 'clusters', files: /\/cluster/, fileSeconds: 90, suiteSeconds: 180, only: 'oldest and deno' },
  { name: 'placement', files: /^test\/(placement-|cli-drain|actors\/(host-loss|fence|place\.))/, fileSeconds: 120,
    suiteSeconds: 180, only: 'oldest and deno' },
  { name: 'observability', files: /\/(observe|secrets)\b/, fileSeconds: 60, suiteSeconds: 150 },
  { name: 'robustness', files: /^test\/(robustness|permissions|limits)/, fileSeconds: 120, suiteSeconds: 240 },
  { name: 'hostile certificates', files: /\/x509-hostile\b/, fileSeconds: 45, suiteSeconds: 45,
    only: 'oldest and deno' },
  { name: 'certificates', files: /^test\/runtime\/(x509|certificate)/, fileSeconds: 45, suiteSeconds: 60 },
  { name: 'compliance', files: /^test\/compliance\//, fileSeconds: 45, suiteSeconds: 90 },
  { name: 'HTTP and kRPC', files: /\/(krpc|http|web-)/, fileSeconds: 45, suiteSeconds: 90 },
  { name: 'stores', files: /^test\/(runtime\/store|actors\/kv-crash)/, fileSeconds: 45, suiteSeconds: 120 },
  { name: 'audit of the vault', files: /^test\/(audit-|actors\/vault-(audit|crash))/, fileSeconds: 60,
    suiteSeconds: 90, only: 'oldest and deno' },
  { name: 'hosts in the simulator', files: /^test\/hosts-simulated\b/, fileSeconds: 60, suiteSeconds: 60,
    only: 'oldest and deno' },
  { name: 'moves of stores', files: /^test\/move-/, fileSeconds: 45, suiteSeconds: 90, only: 'oldest and deno' },
  { name: 'hosts that carry', files: /^test\/(runtime\/carrier|registration|edge-)/, fileSeconds: 60, suiteSeconds: 120,
    only: 'oldest and deno' },
  { name: 'order', files: /^test\/order\b/, fileSeconds: 60, suiteSeconds: 60 },
  { name: 'simulator', files: /^test\/(sim-|simulation)/, fileSeconds: 90, suiteSeconds: 120, only: 'oldest and deno' },
  { name: 'kernel of the simulator', files: /^test\/runtime\/sim/, fileSeconds: 60, suiteSeconds: 120 },
  { name: 'supervision', files: /^test\/(runtime\/supervisor|determinism)/, fileSeconds: 60, suiteSeconds: 120 },
  { name: 'tunnels', files: /^test\/(tunnel|transport)/, fileSeconds: 45, suiteSeconds: 90 },
  { name: 'unit', files: /^test\//, fileSeconds: 30, suiteSeconds: 120 },
]
