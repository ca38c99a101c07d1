import { safeParse } from 'valibot'
import { askForCertificate, type CertificateAsked } from '../../actors/host-certificate.ts'
import { AGREEMENT_BYTES } from '../../actors/sealed-unseal-key.ts'
import type { Agreement, Files, Keys, Platform, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { literal, object, string, type Infer } from '../../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { writeBootedMarker } from '../booted.ts'
import { readConfig } from '../config.ts'
import { FolderDamaged } from '../errors.ts'
import { pems } from '../etcd/names.ts'
import { writePair } from '../etcd/pair.ts'
import { openJoining } from '../host/joining.ts'
import { file, type IdentityFile } from '../init.ts'
import { parseJson } from '../parse-json.ts'
import type { JoinedOod, OodAsked } from './join-ood.ts'

/** What it asks by, until it has its answer: it may be days until the owner decides. */
const JOINING_FILE = 'joining.json'
const JoiningFile = object({
  format: literal(1), host: string(), tlsKey: string(), csr: string(), etcdKey: string(), etcdCsr: string(),
  agreement: string(),
})

/** The folder of a host that becomes an OOD; afterwards `start` runs it from there. */
export interface OodJoining {
  readonly path: string
  readonly device: SigningKey
  readonly asked: OodAsked
  /** @throws ConfigInvalid, NotWritable */
  keep(joined: JoinedOod, listen: string): Promise<void>
  close(): Promise<void>
}

/** @throws FolderOfAnotherZone, FolderInUse, FolderDamaged, DeviceKeyMismatch, NotWritable */
export async function openOodJoining(
  platform: Platform, folder: string, { host, key }: { readonly host: string; readonly key?: string },
): Promise<OodJoining> {
  const joining = await openJoining(platform, folder, { host, ...(key === undefined ? {} : { key }) })
  try {
    const files = await platform.host.openFolder(folder)
    return {
      path: joining.path, device: joining.device, asked: await askedIn(platform, files, host),
      keep: (joined, listen) => keepOod(files, joined, listen), close: () => joining.close(),
    }
  } catch (error) {
    await joining.close()
    throw error
  }
}

/** Who comes again, comes with the same request. @throws FolderDamaged */
async function askedIn(platform: Platform, files: Files, host: string): Promise<OodAsked> {
  const { keys } = platform
  const bytes = await files.read(JOINING_FILE)
  if (bytes) {
    const parsed = safeParse(JoiningFile, parseJson(bytes))
    const seed = parsed.success ? fromBase64url(parsed.output.agreement) : undefined
    if (parsed.success && parsed.output.host === host && seed?.length === AGREEMENT_BYTES) {
      const { tlsKey, csr, etcdKey, etcdCsr } = parsed.output
      const certificate = (pem: string, request: string): CertificateAsked =>
        ({ key: keys.certificates.importPem(pem), csr: request })
      return {
        tls: certificate(tlsKey, csr), etcd: certificate(etcdKey, etcdCsr), agreement: agreementOf(keys, seed),
      }
    }
    throw new FolderDamaged(`${files.path(JOINING_FILE)}: it is not the request of ${host}`, {
      path: files.path(JOINING_FILE), next: 'Remove it, and join by a new token',
    })
  }
  const [tls, etcd] = [await askForCertificate(platform, host), await askForCertificate(platform, host)]
  const seed = platform.random.fork('agreement of an OOD that joins').bytes(AGREEMENT_BYTES)
  const contents: Infer<typeof JoiningFile> = {
    format: 1, host, tlsKey: tls.key.exportPem(), csr: tls.csr, etcdKey: etcd.key.exportPem(), etcdCsr: etcd.csr,
    agreement: toBase64url(seed),
  }
  await write(files, JOINING_FILE, `${JSON.stringify(contents)}\n`)
  return { tls, etcd, agreement: agreementOf(keys, seed) }
}

function agreementOf(keys: Keys, seed: Uint8Array): Agreement {
  const random: Random = { bytes: () => seed.slice(), fork: () => random }
  return keys.agreement(random)
}

const write = (files: Files, name: string, text: string, mode = 0o600): Promise<void> =>
  files.write(name, new TextEncoder().encode(text), { mode })

/** The identity comes last: without it the same join does all of it again. */
async function keepOod(files: Files, joined: JoinedOod, listen: string): Promise<void> {
  const { zone, host, roots, tls, standing, etcd, store, unsealKey } = joined
  const config = configText({ zone, host, owner: standing.zone.owner, listen, etcd })
  readConfig(config, files.path(file.config))
  await write(files, file.unsealKey, `${unsealKey}\n`)
  await files.makeFolder(pems.folder, { mode: 0o700 })
  await write(files, pems.root, roots.join(''), 0o644)
  await write(files, pems.etcdAuthority, etcd.roots.join(''), 0o644)
  await writePair(files, pems.server, tls)
  await writePair(files, pems.etcdClient, etcd.pair)
  // What somebody has put there beforehand is theirs
  if (!await files.read(file.config)) await write(files, file.config, config)
  await writeBootedMarker(files, { zone, store: store.id, revision: store.revision })
  const identity: Infer<typeof IdentityFile> = {
    zoneDocument: standing.zoneDocument, deviceDocument: standing.document,
    joined: { prefix: `${etcd.prefix}/${zone}` },
  }
  await write(files, file.identity, `${JSON.stringify(identity, null, 2)}\n`)
  await files.remove(JOINING_FILE)
}

function configText({ zone, host, owner, listen, etcd }: {
  readonly zone: string; readonly host: string; readonly owner: string; readonly listen: string
  readonly etcd: Pick<JoinedOod['etcd'], 'endpoints' | 'prefix'>
}): string {
  const text = (value: string): string => JSON.stringify(value)
  return `zone: ${text(zone)}
host: ${text(host)}
owner: ${text(owner)}
addr: ${text(listen)}
xline_config:
  endpoints: ${JSON.stringify(etcd.endpoints)}
  prefix: ${text(etcd.prefix)}
tls_config: { enable: true }
`
}
