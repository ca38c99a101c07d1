import { VaultSealed } from '../../actors/vault/protocol.ts'
import type { Command } from 'commander'
import { pairs } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { show } from './connect.ts'
import {
  connectVault, offerShares, shareOptions, tokenOptions, vaultOptions, type VaultOptions,
} from './vault-connect.ts'

interface InitOptions extends VaultOptions {
  readonly shares: number
  readonly threshold: number
}

interface UnsealOptions extends VaultOptions {
  readonly shareFile?: readonly string[]
  readonly reset?: true
}

type Told = Readonly<Record<string, unknown>>

const statusLines = ({ initialized, sealed, t, n, progress, version }: Told): readonly string[] => pairs([
  ['initialised', initialized ? 'yes' : 'no'], ['sealed', sealed ? 'yes' : 'no'],
  ['shares', initialized ? `${String(t)} of ${String(n)} open it` : 'none yet'],
  ...(sealed && initialized ? [['progress', `${String(progress)} of ${String(t)}`] as const] : []),
  ['answers as', `Vault ${String(version)}`],
])

export const vaultStatusCommand = (terminal: Terminal): Command => vaultOptions(command(terminal, 'status', {
  description: 'Show whether a vault is initialised and open; the exit code says it as well',
  examples: ['vault status', 'vault status --json', 'vault status --address https://vault.example:8200'],
})).action(async (options: VaultOptions) => {
  const status = await (await connectVault(terminal, options)).ask('GET', 'sys/seal-status')
  show(terminal, options, status, () => statusLines(status))
  if (status['sealed'] !== true) return
  const { invocation } = terminal
  const next = status['initialized'] === true ? `${invocation} vault unseal` : `${invocation} vault init`
  throw new VaultSealed('The vault is sealed', { next, shown: true })
})

export const vaultInitCommand = (terminal: Terminal): Command => vaultOptions(command(terminal, 'init', {
  description: 'Make the vault: prints its shares and its root token, once',
  examples: ['vault init', 'vault init --shares 3 --threshold 2 --json'],
}))
  .option('--shares <n>', 'how many shares of its root key are made', wholeNumber(1, 255), 5)
  .option('--threshold <n>', 'how many of them open it', wholeNumber(1, 255), 3)
  .action(async (options: InitOptions) => {
    const client = await connectVault(terminal, options)
    const made = await client.ask('PUT', 'sys/init', {
      secret_shares: options.shares, secret_threshold: options.threshold,
    })
    const shares = made['keys_base64'] as readonly string[]
    show(terminal, options, made, () => [
      ...pairs([
        ...shares.map((share, index) => [`share ${index + 1}`, share] as const),
        ['root token', String(made['root_token'])],
      ]),
      '',
      `They are shown this once. ${options.threshold} of ${options.shares} shares open the vault: keep them apart.`,
      `Next: ${terminal.invocation} vault unseal`,
    ])
  })

export const vaultUnsealCommand = (terminal: Terminal): Command => shareOptions(command(terminal, 'unseal', {
  description: 'Open the vault by shares of its root key',
  examples: ['vault unseal', 'vault unseal --share-file ./share-1.txt ./share-2.txt', 'vault unseal --reset'],
}))
  .option('--reset', 'forget the shares that were given so far')
  .action(async (options: UnsealOptions) => {
    const client = await connectVault(terminal, options)
    let status: Told = await client.ask('GET', 'sys/seal-status')
    if (options.reset) status = await client.ask('PUT', 'sys/unseal', { reset: true })
    else if (status['sealed'] === true) {
      await offerShares(terminal, options.shareFile, async (key) => {
        status = await client.ask('PUT', 'sys/unseal', { key })
        if (status['sealed'] === true && !options.json) {
          terminal.out(`${String(status['progress'])} of ${String(status['t'])} shares`)
        }
        return { enough: status['sealed'] !== true }
      })
    }
    show(terminal, options, status, () => statusLines(status))
  })

export const vaultSealCommand = (terminal: Terminal): Command => tokenOptions(command(terminal, 'seal', {
  description: 'Close the vault: its keys leave its memory until it is unsealed again',
  examples: ['vault seal', 'vault seal --token-file ./token'],
})).action(async (options: VaultOptions) => {
  await (await connectVault(terminal, options)).ask('PUT', 'sys/seal')
  show(terminal, options, { sealed: true }, () => ['The vault is sealed'])
})
