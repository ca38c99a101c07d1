import { urgencyOf } from '../../actors/cert-manager/due.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { decodePems } from '../../runtime/x509/pem.ts'
import { pems } from '../etcd/names.ts'

/** A certificate in a file of the zone's folder. */
export interface PemFile {
  /** Below the folder. */
  readonly path: string
  readonly serial: string
  readonly subject: string
  readonly names: readonly string[]
  readonly issuer: string
  readonly notBefore: number
  readonly notAfter: number
  readonly state: 'valid' | 'ended'
  readonly urgency: string | null
}

/** Certificates of one file that are looked at. */
const IN_ONE_FILE = 16
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')

/** Those that this host needs to reach what it runs on, where the folder can be read; none where it cannot. */
export async function pemFiles(
  { host }: Pick<Platform, 'host'>, dir: string, now: number,
): Promise<readonly PemFile[]> {
  const files = await host.openFolder(dir).catch(() => undefined)
  if (!files || (await files.mode(pems.folder).catch(() => undefined)) === undefined) return []
  const found: PemFile[] = []
  for (const path of await below(files, pems.folder)) {
    const bytes = await files.read(path).catch(() => undefined)
    if (bytes) found.push(...certificatesIn(path, new TextDecoder().decode(bytes), now))
  }
  return found
}

async function below(files: Files, folder: string): Promise<readonly string[]> {
  const entries = await files.list(folder).catch(() => [])
  const paths = await Promise.all(entries.map(async ({ name, directory }) =>
    (directory ? below(files, `${folder}/${name}`) : name.endsWith('.pem') ? [`${folder}/${name}`] : [])))
  return paths.flat().sort()
}

function certificatesIn(path: string, text: string, now: number): readonly PemFile[] {
  try {
    return decodePems(text, 'CERTIFICATE', IN_ONE_FILE).map((der) => {
      const { serial, subject, issuer, notBefore, notAfter, extensions } = parseCertificate(der)
      const state = notAfter > now ? 'valid' : 'ended'
      return {
        path, serial: hex(serial), subject: displayName(subject), issuer: displayName(issuer),
        notBefore, notAfter, state,
        names: (extensions.names ?? []).map(({ value }) => value),
        urgency: state === 'valid' ? urgencyOf({ notBefore, notAfter }, now) : null,
      }
    })
  } catch (error) {
    if (error instanceof InvalidArgument) return []
    throw error
  }
}
