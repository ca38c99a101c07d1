import { limits } from '../../runtime/limits.ts'
import type { GenPems, PemsProgress } from '../etcd/gen-pems.ts'
import { memberNames, pems, type Endpoint } from '../etcd/names.ts'
import { file } from '../init.ts'
import { pairs, styleOf, type Style } from '../render.ts'
import { duration } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import type { GivenFiles } from './given-files.ts'
import { stepZero } from './step-zero.ts'

/** Where the table has its second column. */
const INDENT = '     '

/** What `gen pems` does, as it is done. */
export function pemsProgress(progress: PemsProgress, options: GivenFiles, style: Style): readonly string[] {
  switch (progress.type) {
    case 'identity': case 'shares': return stepZero(progress, options, style)
    case 'anchor-signs': return [
      `${INDENT}${style.bold('The owner key signs')}, from ${progress.path}:`,
      `${INDENT}  the document of the anchor: the vault’s key by which hosts will know the roots of this zone`,
    ]
    case 'certificate': return [certificateLine(progress, style)]
  }
}

/** `made  2/5  etcd at https://…, good for 180 d 0 h`. */
export function certificateLine(
  { wanted: { what }, held: { made, notAfter, notBefore }, done, of }: Omit<CertificateProgress, 'type'>, style: Style,
): string {
  const life = `good for ${duration(notAfter - notBefore)}`
  const text = made === undefined ? `kept  ${done}/${of}  ${what}, as it is` : `made  ${done}/${of}  ${what}, ${life}`
  return style.dim(INDENT + text)
}

type CertificateProgress = Extract<PemsProgress, { type: 'certificate' }>

/** With --json. */
export function pemsSummary({ config, files, certificates, written, unused, rows }: GenPems) {
  return {
    zone: config.zone, host: config.host, folder: files.path('.'), pems: files.path(pems.folder),
    changed: written.length > 0, written, unused,
    keepDangerousFiles: config.tls.keepDangerousFiles,
    certificates: certificates.map((each) => certificateSummary(files, each)),
    steps: rows,
  }
}

export function certificateSummary(
  files: GenPems['files'],
  { wanted: { what, names, member }, held: { serial, notBefore, notAfter, made } }: GenPems['certificates'][number],
) {
  return {
    for: what, certificate: files.path(names.certificate), key: files.path(names.key), serial, notBefore, notAfter,
    made: made !== undefined, ...(made === undefined ? {} : { because: made }),
    ...(member === undefined ? {} : { member: member.url, flags: memberFlags(member, files.path('.')) }),
  }
}

/** What etcd is started with on a member; the files are where they were copied to. */
export function memberFlags(member: Endpoint, root: string): readonly string[] {
  const { certificate, key, authority } = memberNames(member)
  const at = (name: string): string => `${root.replace(/\/\.?$/, '')}/${name}`
  return [
    `--cert-file=${at(certificate)}`, `--key-file=${at(key)}`, `--trusted-ca-file=${at(authority)}`,
    '--client-cert-auth',
    `--peer-cert-file=${at(certificate)}`, `--peer-key-file=${at(key)}`, `--peer-trusted-ca-file=${at(authority)}`,
    '--peer-client-cert-auth',
    `--max-txn-ops=${limits.transactionOperations}`,
  ]
}

/** What there is now, and what comes next. */
export function pemsLines(
  terminal: Terminal, made: GenPems,
  { folder, config }: { readonly folder: string; readonly config?: string | undefined },
): readonly string[] {
  const { files, written, endpoints, unused, config: { tls } } = made
  const style = styleOf(terminal.colours)
  const start = [
    'start', ...(config === undefined ? [] : ['--config', config]),
    ...(tls.vaultFolder === folder || folder === './.zone' ? [] : ['--dir', folder]),
  ]
  return [
    '',
    written.length === 0 ? `${style.good('nothing to do')}: every file is there and good, none was changed`
      : `${style.good('written')}: ${written.length} files`,
    ...(unused.length === 0 ? [] : [`note: keys that are not used: ${unused.join(', ')}`]),
    '',
    `In ${files.path(pems.folder)}:`,
    ...pairs([
      ['root.pem', 'roots of the zone, for who connects to it'],
      ['etcd-ca.pem', 'the CA of etcd'],
      ['etcd-ca.sealed', 'the same with its key, sealed: unseal.key or three recovery shares open it (recover etcd)'],
      ['server.pem, server.key', 'this host, to who connects'],
      ['etcd-client.pem, etcd-client.key', 'this host, to etcd'],
      ['anchor.doc', 'the anchor of the zone, signed by the owner key'],
    ]),
    '',
    'Copy to each member of etcd its folder, with the key for its user alone. Start it with these flags, and the paths',
    'that you have copied it to; a member on this machine may use its folder where it is:',
    ...endpoints.flatMap((member) => [
      '', `  ${style.bold(member.url)}, from ${files.path(memberNames(member).folder)}`,
      ...memberFlags(member, files.path('.')).map((flag) => `    ${flag}`),
    ]),
    '',
    ...(tls.keepDangerousFiles ? [] : [
      'tls_config.keep_dangerous_files is false: once the stores are in etcd and verified, `start` removes here',
      `the recovery shares (${files.path(file.recoveryShares)}) and the keys of members that have them.`,
      'Keep copies of the shares elsewhere first. A member that reads its key in this very folder, by a mount or a',
      'share, needs its own copy, or the files have to stay: tls_config: { enable: true, keep_dangerous_files: true }',
      '',
    ]),
    'Then:',
    `  ${terminal.invocation} ${start.join(' ')}`,
  ]
}
