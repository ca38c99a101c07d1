/**
 * From a signing request to a certificate, P-256: the request is checked, and the certificate is on the disk before the
 * answer (certificates in flight share one fsync). The engine in this thread, and through the link of a zone that was
 * really booted, against the two signatures that nobody can do without, and against @peculiar/x509, which keeps
 * nothing. And by HTTP, as a client of HashiCorp Vault asks, with its token and the audit, against `cfssl serve`, which
 * asks for no token: with its database, so that it keeps what it signs as well, and without. All in turn, and medians
 * are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Vault } from '../actors/vault/protocol.ts'
import { up } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { interleaved } from './interleaved.ts'
import { posts } from './login/http.ts'
import { openAlone } from './pki/alone.ts'
import { startCfssl, type Cfssl } from './pki/cfssl.ts'
import { startHttpVault } from './pki/http.ts'
import { makeRequests, timed, type Requests } from './pki/payload.ts'
import { openX509 } from './pki/x509.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const IN_FLIGHT = 64
/** Certificates of a round; one of seconds is enough where a signature takes a millisecond. */
const CERTIFICATES = 'Deno' in globalThis ? 400 : 1_500
const X509_CERTIFICATES = 150
/** Of cfssl with its database, which takes milliseconds. */
const KEPT_CERTIFICATES = 200
const CONNECTIONS = 32
/** Times what cfssl does when it keeps what it signs. */
const CFSSL_MIN = 2
/** A second of processor time, be it one core's or parts of two. */
const PER_SECOND_MIN = 2_000
/** Of what verification and signature alone allow; for Deno, where they are nearly all of it. */
const SHARE_MIN = 0.6

const bench: Bench = async ({ say }) => {
  const platform = await openPlatform()
  const requests = await makeRequests(platform)
  // One after the other: processor time is that of the whole process, and workers that wait take some as well
  const alone = await measureAlone(platform, requests)
  say(`alone ${alone.own.toFixed(0)} µs (processor ${alone.ownCpu.toFixed(0)}), verify and sign `
    + `${alone.bare.toFixed(0)} µs, @peculiar/x509 ${alone.peer.toFixed(0)} µs`)
  const linked = await measureLink(platform, requests)
  say(`by link ${linked.link.toFixed(0)} µs (processor of both ends ${linked.linkCpu.toFixed(0)})`)
  const http = await measureHttp(platform, requests)
  say(`by HTTP ${http.byHttp.toFixed(0)} µs, cfssl ${http.byCfssl.toFixed(0)} µs, with its database `
    + `${http.byKeeping.toFixed(0)} µs`)
  return [...rowsOf({ ...alone, ...linked }), ...httpRows(http)]
}
export default bench

async function measureAlone(platform: Platform, requests: Requests) {
  const alone = await openAlone(platform)
  const x509 = await openX509()
  const spent: number[] = []
  try {
    const medians = await interleaved(ROUNDS, {
      own: () => measured(spent, () => timed(CERTIFICATES, IN_FLIGHT, (index) => alone.sign(pemOf(requests, index)))),
      bare: async () => signatures(platform, requests),
      peer: () => x509(requests.pems, X509_CERTIFICATES),
    })
    return { ...medians, ownCpu: middle(spent) }
  } finally {
    await alone.close()
  }
}

async function measureLink(platform: Platform, requests: Requests) {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const zone = await up({ platform, folder })
  const spent: number[] = []
  try {
    const vault = zone.get(Vault)
    await vault.ensureAuthorities({})
    const { link, bare } = await interleaved(ROUNDS, {
      link: () => measured(spent, () => timed(CERTIFICATES, IN_FLIGHT, (index) =>
        vault.signCertificate({ mount: 'pki', role: 'ood', csr: pemOf(requests, index) }, { withinMs: 60_000 }))),
      bare: async () => signatures(platform, requests),
    })
    return { link, linkBare: bare, linkCpu: middle(spent) }
  } finally {
    await zone.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureHttp(platform: Platform, { pems }: Requests) {
  const http = await startHttpVault(platform)
  const [cfssl, keeping] = [await startCfssl(platform, false), await startCfssl(platform, true)]
  const [json, token] = ['application/json', { 'x-vault-token': http.token }]
  const bodies = (of: (csr: string) => object, length: number): readonly string[] =>
    Array.from({ length }, (_, index) => JSON.stringify(of(pems[index % pems.length]!)))
  const askCfssl = async (server: Cfssl | undefined, count: number): Promise<number> => {
    if (server === undefined) return Number.NaN
    const asked = bodies((csr) => ({ certificate_request: csr }), count)
    return posts(server.port, '/api/v1/cfssl/sign', json, asked, CONNECTIONS)
  }
  try {
    return await interleaved(ROUNDS, {
      byHttp: () =>
        posts(http.port, http.path, json, bodies((csr) => ({ csr, ttl: '720h' }), CERTIFICATES), CONNECTIONS, token),
      byCfssl: () => askCfssl(cfssl, CERTIFICATES),
      byKeeping: () => askCfssl(keeping, KEPT_CERTIFICATES),
    })
  } finally {
    await cfssl?.stop()
    await keeping?.stop()
    await http.stop()
  }
}

const pemOf = ({ pems }: Requests, index: number): string => pems[index % pems.length]!

/** Where cfssl, or sqlite3 for its database, is not installed, there is nothing to compare with. */
function httpRows({ byHttp, byCfssl, byKeeping }: Record<'byHttp' | 'byCfssl' | 'byKeeping', number>): readonly Row[] {
  const [unit, inFlight] = ['certificates/s', CONNECTIONS]
  const value = 1_000_000 / byHttp
  const against = (name: string, micros: number, target?: number): readonly Row[] => (Number.isNaN(micros) ? [] : [
    { name, inFlight, value: 1_000_000 / micros, unit },
    {
      name: `by HTTP, durable and audited, against ${name}`, inFlight, value, unit, ratio: micros / byHttp,
      ...(target === undefined ? {} : { target }),
    },
  ])
  return [
    ...against('cfssl serve with its database', byKeeping, CFSSL_MIN),
    ...against('cfssl serve, nothing kept', byCfssl),
  ]
}

/** Processor time of this process for each certificate, beside its wall time. */
async function measured(spent: number[], run: () => Promise<number>): Promise<number> {
  const before = process.cpuUsage()
  const micros = await run()
  const { user, system } = process.cpuUsage(before)
  spent.push((user + system) / CERTIFICATES)
  return micros
}

const middle = (values: readonly number[]): number =>
  [...values.slice(1)].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0

/** Microseconds of processor time: checking the signature of a request, and making one of a certificate. */
function signatures({ random }: Platform, { keys }: Requests): number {
  const key = keys[0]!
  const [request, certificate] = [random.bytes(230), random.bytes(420)]
  const signed = key.sign(request)
  const before = process.cpuUsage()
  for (let index = 0; index < CERTIFICATES; index++) {
    if (!key.public.verify(request, signed)) throw new Error('A signature does not match')
    key.sign(certificate)
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CERTIFICATES
}

function rowsOf(
  { own, link, bare, linkBare, peer, ownCpu, linkCpu }:
    Record<'own' | 'link' | 'bare' | 'linkBare' | 'peer' | 'ownCpu' | 'linkCpu', number>,
): readonly Row[] {
  const perSecond = (micros: number): number => 1_000_000 / micros
  const inFlight = IN_FLIGHT
  const unit = 'certificates/s'
  const onDeno = 'Deno' in globalThis
  const held = (micros: number, signed: number): Partial<Row> => (onDeno
    ? { ratio: signed / micros, target: SHARE_MIN }
    : { ratio: perSecond(micros) / PER_SECOND_MIN, target: 1 })
  const against = onDeno ? 'against its signatures' : `against ${PER_SECOND_MIN}`
  return [
    { name: 'verify and sign, nothing else', value: perSecond(bare), unit: 'pairs/s' },
    { name: '@peculiar/x509, nothing kept', value: perSecond(peer), unit },
    { name: 'engine alone, durable, against @peculiar/x509', inFlight, value: perSecond(own), unit, ratio: peer / own },
    {
      name: `engine alone, durable, by processor time, ${against}`, inFlight, value: perSecond(ownCpu), unit,
      ...held(ownCpu, bare),
    },
    { name: 'through the link, durable', inFlight, value: perSecond(link), unit, ratio: peer / link },
    {
      name: `through the link, durable, by processor time of both ends, ${against}`, inFlight,
      value: perSecond(linkCpu), unit, ...held(linkCpu, linkBare),
    },
  ]
}
