/**
 * From a signing request to a certificate, P-256: the request is checked, and the certificate is on the disk before the
 * answer (certificates in flight share one fsync). The engine in this thread, and through the link of a zone that was
 * really booted, against the two signatures that nobody can do without, and against @peculiar/x509, which keeps
 * nothing. All in turn, and medians are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Vault } from '../actors/vault/protocol.ts'
import { up, type RunningZone } from '../boot/up.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { interleaved } from './interleaved.ts'
import { openAlone } from './pki/alone.ts'
import { makeRequests, timed, type Requests } from './pki/payload.ts'
import { openX509 } from './pki/x509.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const IN_FLIGHT = 64
/** Certificates of a round; one of seconds is enough where a signature takes a millisecond. */
const CERTIFICATES = 'Deno' in globalThis ? 400 : 1_500
const X509_CERTIFICATES = 150
/** A second of processor time, be it one core's or parts of two. */
const PER_SECOND_MIN = 2_000
/** Of what verification and signature alone allow; for Deno, where they are nearly all of it. */
const SHARE_MIN = 0.6

const bench: Bench = async ({ say }) => {
  const platform = await openPlatform()
  const requests = await makeRequests(platform)
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const alone = await openAlone(platform)
  const x509 = await openX509()
  let zone: RunningZone | undefined
  try {
    zone = await up({ platform, folder })
    const vault = zone.get(Vault)
    await vault.ensureAuthorities({})
    const csrOf = (index: number): string => requests.pems[index % requests.pems.length]!
    const byLink = (index: number) =>
      vault.signCertificate({ mount: 'pki', role: 'ood', csr: csrOf(index) }, { withinMs: 60_000 })
    const spent = { alone: [] as number[], link: [] as number[] }
    const { own, link, bare, peer } = await interleaved(ROUNDS, {
      own: () => measured(spent.alone, () => timed(CERTIFICATES, IN_FLIGHT, (index) => alone.sign(csrOf(index)))),
      link: () => measured(spent.link, () => timed(CERTIFICATES, IN_FLIGHT, byLink)),
      bare: async () => signatures(platform, requests),
      peer: () => x509(requests.pems, X509_CERTIFICATES),
    })
    const [ownCpu, linkCpu] = [spent.alone, spent.link].map(middle) as [number, number]
    say(`alone ${own.toFixed(0)} µs (processor ${ownCpu.toFixed(0)}), by link ${link.toFixed(0)} µs (processor of both `
      + `ends ${linkCpu.toFixed(0)}), verify and sign ${bare.toFixed(0)} µs, @peculiar/x509 ${peer.toFixed(0)} µs`)
    return rowsOf({ own, link, bare, peer, ownCpu, linkCpu })
  } finally {
    await zone?.stop()
    await alone.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
export default bench

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

/** Microseconds of checking the signature of a request and making one of a certificate. */
function signatures({ random }: Platform, { keys }: Requests): number {
  const key = keys[0]!
  const [request, certificate] = [random.bytes(230), random.bytes(420)]
  const signed = key.sign(request)
  const began = performance.now()
  for (let index = 0; index < CERTIFICATES; index++) {
    if (!key.public.verify(request, signed)) throw new Error('A signature does not match')
    key.sign(certificate)
  }
  return (performance.now() - began) * 1_000 / CERTIFICATES
}

function rowsOf(
  { own, link, bare, peer, ownCpu, linkCpu }: Record<'own' | 'link' | 'bare' | 'peer' | 'ownCpu' | 'linkCpu', number>,
): readonly Row[] {
  const perSecond = (micros: number): number => 1_000_000 / micros
  const inFlight = IN_FLIGHT
  const unit = 'certificates/s'
  const onDeno = 'Deno' in globalThis
  const held = (micros: number): Partial<Row> => (onDeno
    ? { ratio: bare / micros, target: SHARE_MIN }
    : { ratio: perSecond(micros) / PER_SECOND_MIN, target: 1 })
  const against = onDeno ? 'against its signatures' : `against ${PER_SECOND_MIN}`
  return [
    { name: 'verify and sign, nothing else', value: perSecond(bare), unit: 'pairs/s' },
    { name: '@peculiar/x509, nothing kept', value: perSecond(peer), unit },
    { name: 'engine alone, durable, against @peculiar/x509', inFlight, value: perSecond(own), unit, ratio: peer / own },
    {
      name: `engine alone, durable, by processor time, ${against}`, inFlight, value: perSecond(ownCpu), unit,
      ...held(ownCpu),
    },
    { name: 'through the link, durable', inFlight, value: perSecond(link), unit, ratio: peer / link },
    {
      name: `through the link, durable, by processor time of both ends, ${against}`, inFlight,
      value: perSecond(linkCpu), unit, ...held(linkCpu),
    },
  ]
}
