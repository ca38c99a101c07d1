import type { Command } from 'commander'
import { readDeviceBy } from '../../actors/read-device.ts'
import { deviceDocumentType, isName, kv, type DeviceDocument } from '../../actors/records.ts'
import type { OodRequest } from '../../actors/vault/protocol.ts'
import { AlreadyExists, NotFound } from '../../runtime/errors.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { getItem, transact } from '../client/kv.ts'
import { oodRequestsOf } from '../client/ood-requests.ts'
import { signRootToken } from '../client/owner-key.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { FingerprintMismatch, Interrupted, OwnerKeyNeeded, Usage } from '../errors.ts'
import { openOwnerKey } from '../init.ts'
import { printable } from '../printable.ts'
import { styleOf } from '../render.ts'
import { duration, fields, table, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { removeDocument } from './device-document.ts'
import { secretIn, textFile } from './files.ts'
import { ownerKeyOptions, type OwnerKeyOptions } from './owner-signs.ts'

const COLUMNS: readonly Column[] = [
  { head: 'host' }, { head: 'state' }, { head: 'asked', align: 'right' }, { head: 'token ends', align: 'right' },
  { head: 'token' }, { head: 'fingerprint of its device key' },
]

const stateOf = ({ approvedAt, refusedAt }: OodRequest): string =>
  (refusedAt !== undefined ? 'refused' : approvedAt !== undefined ? 'approved' : 'waits')

export function pendingCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'pending', {
    description: 'List the hosts that wait to become OODs of the zone: the owner decides',
    examples: ['hosts pending', 'hosts pending --json'],
    exits: [14, 17, 18],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const { requests } = await oodRequestsOf(terminal, client, options.dir).list()
    const now = client.platform.clock.now()
    const style = styleOf(terminal.colours)
    show(terminal, options, { requests }, () => (requests.length === 0 ? ['None waits']
      : table(COLUMNS, requests.map((request) => [
        { text: request.host, paint: style.bold }, { text: stateOf(request) },
        { text: `${duration(Math.max(0, now - request.at))} ago` },
        { text: `in ${duration(Math.max(0, request.expiresAt - now))}` }, { text: request.token },
        { text: request.device },
      ]), terminal.columns, style)))
  })
}

interface OfOne extends ConnectOptions {
  readonly fingerprint?: string
}
type ApproveOptions = OfOne & OwnerKeyOptions

const FINGERPRINT = 'of its device key, as the host itself shows it'

export function approveCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'approve', {
    description: 'Make a host that waits an OOD: the owner key signs for its device key, and it gets the unseal key',
    examples: [
      'hosts approve ood2 --owner-key ./.zone/owner.key',
      'hosts approve ood2 --owner-key ./owner.key --fingerprint 8Jx2…Qw --yes',
    ],
    exits: [14, 15, 20, 69],
  })), 'signs the device document of the host, and a root token that registers it; is not kept')
    .argument('<host>', 'as `hosts pending` lists it')
    .option('--fingerprint <text>', FINGERPRINT)
    .action((host: string, options: ApproveOptions) => runApprove(terminal, nameOf(terminal, host), options))
}

export function refuseCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'refuse', {
    description: 'Refuse a host that waits to become an OOD: it is told so, and its token is used up',
    examples: ['hosts refuse ood2', 'hosts refuse ood2 --json'],
    exits: [14, 15, 20, 69],
  })), 'of a host that was approved before: signs a root token that takes its document away; is not kept')
    .argument('<host>', 'as `hosts pending` lists it')
    .option('--fingerprint <text>', FINGERPRINT)
    .action(async (host: string, options: OfOne & OwnerKeyOptions) => {
      const client = await connect(terminal, options)
      const requests = oodRequestsOf(terminal, client, options.dir)
      const { requests: all } = await requests.list()
      const { device, approvedAt } = await requestOf(terminal, nameOf(terminal, host), all, options)
      const stands = approvedAt !== undefined && await getItem(client, kv.device(host)) !== undefined
      if (stands && options.ownerKey === undefined) {
        throw new Usage('The owner has signed for this host: only the owner takes that back', {
          next: 'Give the owner key: --owner-key FILE',
        })
      }
      const refused = await requests.refuse(host, device)
      if (stands) await removeDocument(terminal, client, host, options)
      show(terminal, options, refused, () => [`Refused: ${printable(host)}, ${device}`])
    })
}

function nameOf(terminal: Terminal, host: string): string {
  if (isName(host)) return host
  throw new Usage(`It is no name of a host: ${host}`, { next: `${terminal.invocation} hosts pending` })
}

/** @throws NotFound, FingerprintMismatch, Usage where several wait under this name */
async function requestOf(
  terminal: Terminal, host: string, requests: readonly OodRequest[], { fingerprint }: OfOne,
): Promise<OodRequest> {
  const next = `${terminal.invocation} hosts pending`
  const named = requests.filter((request) => request.host === host && request.refusedAt === undefined)
  if (named.length === 0) throw new NotFound(`No host of this name waits: ${printable(host)}`, { next })
  const found = fingerprint === undefined ? named : named.filter(({ device }) => device === fingerprint.trim())
  const [one, another] = found
  if (!one) {
    throw new FingerprintMismatch(`The host that waits has another device key: ${named[0]!.device}`, {
      given: fingerprint ?? '', next: 'Refuse it, unless that was mistyped: somebody else may have its token',
    })
  }
  if (another) throw new Usage(`Several hosts wait as ${printable(host)}`, { next: 'Say which: --fingerprint' })
  return one
}

async function runApprove(terminal: Terminal, host: string, options: ApproveOptions): Promise<void> {
  const { ownerKey, fingerprint, yes } = options
  if (ownerKey === undefined) {
    throw new Usage('Only the owner makes an OOD', { next: 'Give the owner key: --owner-key FILE' })
  }
  if (fingerprint === undefined && (yes || !terminal.interactive)) {
    throw new Usage('Nobody has compared the device key', { next: 'Give --fingerprint, as the host itself shows it' })
  }
  const client = await connect(terminal, options)
  const requests = oodRequestsOf(terminal, client, options.dir)
  const { requests: all, owner } = await requests.list()
  const request = await requestOf(terminal, host, all, options)
  await confirmed(terminal, client, request, options)
  const { document, register } = await signedFor(terminal, client, request, owner, { ...options, ownerKey })
  // The vault may have heard of a refusal meanwhile: then nothing stands of it
  const approved = await requests.approve(host, document)
  await register(approved.document ?? document)
  show(terminal, options, { ...approved, state: 'approved' }, () => [
    `Approved: ${printable(host)}, ${approved.device}`,
    'It hears of that when it asks next; from then on it can do whatever this host can',
  ])
}

/** @throws Usage, Interrupted */
async function confirmed(
  terminal: Terminal, client: ZoneClient, { host, device, at }: OodRequest, options: ApproveOptions,
): Promise<void> {
  const { zone, epoch } = await client.boot()
  const say = (line: string): void => (options.json ? terminal.error(line) : terminal.out(line))
  say('The owner key will sign that this host is an OOD, and a root token that registers it:')
  for (const line of fields([
    ['zone', `${zone}, epoch ${epoch}`], ['host', `${printable(host)}, asked ${terminal.localTime(at)}`],
    ['device key', device], ['key', terminal.absolute(options.ownerKey!)],
  ], '  ')) say(line)
  say('An OOD holds the unseal key and the stores of the zone: whoever is root there is the zone.')
  if (options.yes) return
  if (!terminal.interactive) {
    throw new Usage('There is no terminal to ask whether to sign', { next: 'Sign without being asked: --yes' })
  }
  const compared = options.fingerprint === undefined ? 'Does the host itself show this device key, and sign' : 'Sign'
  const answer = await terminal.ask(`${compared}? [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('Not signed: nothing was changed')
}

interface SignedFor {
  readonly document: string
  /** Puts it, or the one by which the vault has it approved already, into `kv://`. */
  register(document: string): Promise<void>
}

/** Its document, signed by the owner; one that is there already for the same key stays as it is. */
async function signedFor(
  terminal: Terminal, client: ZoneClient, { host, key }: OodRequest, owner: string,
  { ownerKey, ownerPassphraseFile }: ApproveOptions & { readonly ownerKey: string },
): Promise<SignedFor> {
  const { platform } = client
  const { zone, root, epoch } = await client.boot()
  const path = terminal.absolute(ownerKey)
  const pem = await textFile(terminal, ownerKey, 'owner key')
  const passphrase = ownerPassphraseFile === undefined ? undefined
    : await secretIn(terminal, ownerPassphraseFile, 'passphrase')
  const signer = openOwnerKey(() => platform.keys.importPem(pem, passphrase), path)
  if (signer.public.jwk.x !== root.x) {
    throw new OwnerKeyNeeded(`This is not the owner key of ${zone}: ${path}`, { path, next: 'Give that of this zone' })
  }
  const there = await getItem(client, kv.device(host))
  const isIts = (text: string): boolean => {
    const device = readDeviceBy(platform.keys, { zone, root })(text)
    const isOod = device?.enrolment === undefined && device?.role === 'ood' && device.name === host
    return isOod && device.key.x === key.x
  }
  if (there) {
    if (isIts(there.value)) return { document: there.value, async register() {} }
    throw new AlreadyExists(`A host of this name is registered, by another key: ${host}`, {
      next: `Give the new one another name; or remove ${kv.device(host)} by the owner key, if that host is no more`,
    })
  }
  const iat = Math.floor(platform.clock.now() / 1_000)
  const contents: DeviceDocument = { zone, name: host, role: 'ood', key, owner, iat }
  const document = signDocument(signer, deviceDocumentType, contents)
  const token = signRootToken(platform, pem, { path, epoch, ...(passphrase === undefined ? {} : { passphrase }) })
  return {
    document,
    async register(value) {
      if (!isIts(value)) throw new FingerprintMismatch('The vault has another document of this host', { given: value })
      await transact(client, { [kv.device(host)]: { action: 'create', value } }, undefined, token)
    },
  }
}
