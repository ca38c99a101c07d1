import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { DEFAULT_ADDRESS, openVaultClient, type VaultClient } from '../client/vault.ts'
import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { secretIn, textFile } from './files.ts'

export interface VaultOptions {
  readonly json?: true
  readonly address?: string
  readonly caFile?: string
  readonly tokenFile?: string
}

export const vaultOptions = (of: Command): Command => of
  .option('--address <url>', `where the vault listens; default: VAULT_ADDR, else ${DEFAULT_ADDRESS}`)
  .option('--ca-file <file>', 'PEM of the roots that it may be certified by; default: VAULT_CACERT, else the system’s')

/** A token is no argument: arguments are seen by others on the machine. */
export const tokenOptions = (of: Command): Command => vaultOptions(of)
  .option('--token-file <file>', 'its first line is the token; - is stdin. Default: VAULT_TOKEN')

export const shareOptions = (of: Command): Command => vaultOptions(of)
  .option('--share-file <file...>', 'files with shares, white space between; - is stdin. Without it you are asked')

/** @throws Usage */
export async function connectVault(terminal: Terminal, options: VaultOptions): Promise<VaultClient> {
  const platform = await openPlatform()
  const { host } = platform
  const caFile = options.caFile ?? host.env('VAULT_CACERT')
  const token = options.tokenFile === undefined ? host.env('VAULT_TOKEN')
    : await secretIn(terminal, options.tokenFile, 'token')
  return openVaultClient(platform, {
    address: options.address ?? host.env('VAULT_ADDR') ?? DEFAULT_ADDRESS,
    ...(caFile === undefined ? {} : { roots: await textFile(terminal, caFile, 'file of roots') }),
    ...(token === undefined ? {} : { token }),
  })
}

/** Shares one after the other, from files or from people, until there are enough. @throws Usage for too few */
export async function offerShares(
  terminal: Terminal, files: readonly string[] | undefined,
  offer: (share: string) => Promise<{ readonly enough: boolean }>,
): Promise<void> {
  if (files) {
    for (const path of files) {
      const shares = (await textFile(terminal, path, 'file of shares')).split(/\s+/).filter(Boolean)
      for (const share of shares) if ((await offer(share)).enough) return
    }
    throw new Usage('These are too few shares; those given so far count', { next: 'Give the others as well' })
  }
  if (!terminal.interactive) {
    throw new Usage('There is no terminal to ask for shares', { next: 'Give files with --share-file' })
  }
  for (let number = 1; ; number++) {
    const share = (await terminal.ask(`Share ${number} (not shown): `, { secret: true })).trim()
    if (share !== '' && (await offer(share)).enough) return
  }
}
