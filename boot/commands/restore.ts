import { Option, type Command } from 'commander'
import { InvalidArgument } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { planRenewal } from '../backup/renew-epoch.ts'
import { planRestore, type RestorePlan } from '../backup/restore.ts'
import { rootLifetimeSeconds } from '../client/owner-key.ts'
import { DeviceKeyMismatch, Interrupted, OwnerKeyNeeded, Usage } from '../errors.ts'
import { pairs, styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { aboutBackup, interruptible, passphraseOf, progressLines } from './backup.ts'
import { command, wholeNumber } from './command.ts'
import { secretIn, textFile } from './files.ts'

interface OwnerOptions {
  readonly dir: string
  readonly ownerKey?: string
  readonly ownerPassphraseFile?: string
  readonly yes?: true
  readonly json?: true
}

interface RestoreCommandOptions extends OwnerOptions {
  readonly passphraseFile?: string
  readonly unsealKey?: string
  readonly deviceKey?: readonly string[]
  readonly epoch?: number
}

const ownerOptions = (of: Command): Command => of
  .option('--owner-key <file>', 'needed: signs what is said below; it is not kept')
  .option('--owner-passphrase-file <file>', 'its first line opens the owner key; - is stdin')
  .option('--yes', 'sign without being asked')

export function restoreCommand(terminal: Terminal): Command {
  const epoch = ownerOptions(command(terminal, 'epoch', {
    description: 'Give a zone that does not run a new epoch: its documents agree, and all its sessions are dead',
    examples: ['restore epoch --dir ./.zone --owner-key ./owner.key'],
  }))
    .addOption(new Option('--dir <folder>', 'the folder of the zone').default('./.zone'))
    .action((options: OwnerOptions) => runEpoch(terminal, options))
  return ownerOptions(command(terminal, 'restore', {
    description: 'Make the zone of a backup in an empty folder, with a new epoch: all sessions of before are dead',
    examples: [
      'restore ./zone.backup --dir ./restored --owner-key ./owner.key --passphrase-file ./passphrase',
      'restore ./zone.backup --dir ./new --owner-key ./owner.key --unseal-key ./unseal.key --device-key ./device.key',
      'restore epoch --dir ./.zone --owner-key ./owner.key',
    ],
  }))
    .enablePositionalOptions()
    .argument('<file>', 'the backup')
    .addOption(new Option('--dir <folder>', 'an empty or a missing folder').default('./.zone'))
    .option('--passphrase-file <file>', 'its first line opens the backup; - is stdin')
    .option('--unseal-key <file>', 'unseal.key, where the backup has none')
    .option('--device-key <file...>', 'device.key of each host, where the backup has none')
    .option('--epoch <number>', 'the least that the new epoch is: above that of any earlier restore of this backup',
      wholeNumber(1, 1_000_000_000))
    .action((path: string, options: RestoreCommandOptions) => runRestore(terminal, path, options))
    .addCommand(epoch)
}

async function runRestore(terminal: Terminal, path: string, options: RestoreCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const platform = await openPlatform()
  const { key: owner, path: ownerPath } = await ownerKey(terminal, platform, options)
  const given = await givenKeys(terminal, platform, options)
  const passphrase = await passphraseOf(terminal, options)
  const began = platform.clock.monotonic()
  let waitedMs = 0
  await interruptible(terminal, async (signal) => {
    const plan = await planRestore({
      platform, file: terminal.absolute(path), folder: terminal.absolute(options.dir), owner, ...given, ...passphrase,
      ...(options.epoch === undefined ? {} : { epoch: options.epoch }), signal,
      onProgress: progressLines(terminal, () => platform.clock.monotonic(), options),
    })
    const askedMs = platform.clock.monotonic()
    await consent(terminal, options, whatIsSigned(terminal, ownerPath, owner, plan))
    waitedMs = platform.clock.monotonic() - askedMs
    signal.throwIfAborted()
    await plan.run()
    const ms = Math.round(platform.clock.monotonic() - began - waitedMs)
    const { zone, host } = plan.backup.manifest
    const folder = terminal.absolute(options.dir)
    if (options.json) {
      const epoch = { before: plan.backup.booted.config.epoch, now: plan.epoch }
      terminal.out(JSON.stringify({ restored: true, folder, zone, host, epoch, ms, keyless: plan.keyless }))
      return
    }
    terminal.out(`${style.good('restored')}  ${folder}, epoch ${plan.epoch}`)
    for (const name of plan.keyless)
      terminal.out(`  ${name} has no device key here: \`up\` signs a new one with --owner-key`)
    terminal.out('The owner key, the recovery shares, logs and working folders of services are where you keep them')
    terminal.out(`  ${terminal.invocation} up --dir ${options.dir}`)
  })
}

function whatIsSigned(
  terminal: Terminal, ownerPath: string, owner: SigningKey, plan: RestorePlan,
): readonly string[] {
  const { backup: { manifest, booted, documents }, epoch, again } = plan
  return [
    'The backup is whole:',
    ...pairs(aboutBackup(terminal, manifest, undefined)),
    ...(again ? ['', 'An earlier restore into this folder was not finished: it begins anew'] : []),
    '',
    `The owner key ${ownerPath} (${owner.public.kid}) will sign:`,
    ...signatures(manifest, { config: booted.config.epoch, document: documents.zone.epoch }, epoch),
    'Sessions, refresh tokens, login tokens and root tokens of before are dead then; passwords stay.',
    `A zone that still runs from another folder is not told: stop it first. Epoch ${epoch} must be new: if this backup`,
    'was restored before, give --epoch with a higher number.',
  ]
}

const signatures = (
  { zone, host }: { readonly zone: string; readonly host: string },
  before: { readonly config: number; readonly document: number }, epoch: number,
): readonly string[] => [
  `  a zone document of ${zone}: epoch ${before.document} becomes ${epoch}`,
  `  a root token for system-config on ${host}, once, ${rootLifetimeSeconds / 60} minutes: in boot/config epoch `
    + `${before.config} becomes ${epoch}`,
]

async function runEpoch(terminal: Terminal, options: OwnerOptions): Promise<void> {
  const platform = await openPlatform()
  const { key: owner, path } = await ownerKey(terminal, platform, options)
  const plan = await planRenewal({ platform, folder: terminal.absolute(options.dir), owner })
  try {
    await consent(terminal, options, [
      `The owner key ${path} (${owner.public.kid}) will sign:`,
      ...signatures(plan, plan.before, plan.epoch),
    ])
    await plan.run()
  } finally {
    await plan.release()
  }
  const { zone, host, before, epoch } = plan
  if (options.json) terminal.out(JSON.stringify({ zone, host, epoch: { before, now: epoch } }))
  else terminal.out(`${styleOf(terminal.colours).good('done')}  zone ${zone} is of epoch ${epoch}`)
}

/** @throws Usage, OwnerKeyNeeded */
async function ownerKey(
  terminal: Terminal, { keys }: Platform, { ownerKey: given, ownerPassphraseFile }: OwnerOptions,
): Promise<{ key: SigningKey; path: string }> {
  if (given === undefined) throw new Usage('The owner key is needed', { next: 'Give its file with --owner-key' })
  const path = terminal.absolute(given)
  const pem = await textFile(terminal, given, 'owner key')
  const passphrase = ownerPassphraseFile === undefined ? undefined
    : await secretIn(terminal, ownerPassphraseFile, 'passphrase')
  try {
    return { key: keys.importPem(pem, passphrase), path }
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    const next = passphrase === undefined ? 'Give its passphrase with --owner-passphrase-file' : 'Check the passphrase'
    throw new OwnerKeyNeeded(`The owner key cannot be read: ${path}: ${error.message}`, { path, next })
  }
}

async function givenKeys(terminal: Terminal, { keys }: Platform, options: RestoreCommandOptions) {
  const deviceKeys: SigningKey[] = []
  for (const path of options.deviceKey ?? []) {
    const pem = await textFile(terminal, path, 'device key')
    try {
      deviceKeys.push(keys.importPem(pem))
    } catch {
      throw new DeviceKeyMismatch(`It is not a private key: ${terminal.absolute(path)}`, { next: 'Give a device.key' })
    }
  }
  const unseal = options.unsealKey
  return {
    deviceKeys, ...(unseal === undefined ? {} : { unsealKey: await secretIn(terminal, unseal, 'unseal key') }),
  }
}

/** @throws Usage, Interrupted */
async function consent(terminal: Terminal, { yes, json }: OwnerOptions, lines: readonly string[]): Promise<void> {
  for (const line of lines) (json ? terminal.error(line) : terminal.out(line))
  if (yes) return
  if (!terminal.interactive) throw new Usage('There is no terminal to ask', { next: 'Sign without being asked: --yes' })
  const answer = await terminal.ask('Sign it? [y/N] ')
  if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('Not signed: nothing was written')
}
