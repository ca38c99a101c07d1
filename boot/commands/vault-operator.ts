import type { Command } from 'commander'
import { InvalidResult } from '../../runtime/errors.ts'
import { fromBase64url } from '../../runtime/trust/base64url.ts'
import { pairs } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { show } from './connect.ts'
import { connectVault, offerShares, shareOptions, tokenOptions, type VaultOptions } from './vault-connect.ts'

interface ShareOptions extends VaultOptions {
  readonly shareFile?: readonly string[]
}

interface RekeyOptions extends ShareOptions {
  readonly shares: number
  readonly threshold: number
}

export const rotateCommand = (terminal: Terminal): Command => tokenOptions(command(terminal, 'rotate', {
  description: 'Encrypt what is written from now on under a new key; what lies there opens as before',
  examples: ['vault operator rotate', 'vault operator rotate --token-file ./token'],
})).action(async (options: VaultOptions) => {
  const client = await connectVault(terminal, options)
  await client.ask('PUT', 'sys/rotate')
  const { data } = await client.ask('GET', 'sys/key-status')
  const { term } = data as { readonly term: number }
  show(terminal, options, { term }, () => [`The barrier has a new key: term ${term}`])
})

export const rekeyCommand = (terminal: Terminal): Command => shareOptions(command(terminal, 'rekey', {
  description: 'Exchange the shares of the root key for new ones: the old ones open nothing any more',
  examples: ['vault operator rekey', 'vault operator rekey --shares 3 --threshold 2 --share-file ./old-shares.txt'],
}))
  .option('--shares <n>', 'how many new shares are made', wholeNumber(1, 255), 5)
  .option('--threshold <n>', 'how many of them open it', wholeNumber(1, 255), 3)
  .action(async (options: RekeyOptions) => {
    const client = await connectVault(terminal, options)
    const { nonce } = await client.ask('PUT', 'sys/rekey/init', {
      secret_shares: options.shares, secret_threshold: options.threshold,
    })
    let made: Readonly<Record<string, unknown>> = {}
    try {
      await offerShares(terminal, options.shareFile, async (key) => {
        made = await client.ask('PUT', 'sys/rekey/update', { nonce, key })
        return { enough: made['complete'] === true }
      })
    } catch (error) {
      await client.ask('DELETE', 'sys/rekey/init').catch(() => {})
      throw error
    }
    const shares = made['keys_base64'] as readonly string[]
    show(terminal, options, made, () => [
      ...pairs(shares.map((share, index) => [`share ${index + 1}`, share] as const)),
      '', 'They are shown this once, and the old ones are worth nothing now.',
    ])
  })

export const generateRootCommand = (terminal: Terminal): Command => shareOptions(command(terminal, 'generate-root', {
  description: 'Make a root token by shares of the root key, when there is none',
  examples: ['vault operator generate-root', 'vault operator generate-root --share-file ./shares.txt --json'],
})).action(async (options: ShareOptions) => {
  const client = await connectVault(terminal, options)
  const { nonce, otp } = await client.ask('PUT', 'sys/generate-root/attempt', {})
  let encoded = ''
  try {
    await offerShares(terminal, options.shareFile, async (key) => {
      const step = await client.ask('PUT', 'sys/generate-root/update', { nonce, key })
      encoded = String(step['encoded_root_token'])
      return { enough: step['complete'] === true }
    })
  } catch (error) {
    await client.ask('DELETE', 'sys/generate-root/attempt').catch(() => {})
    throw error
  }
  const bytes = fromBase64url(encoded.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''))
  const pad = new TextEncoder().encode(String(otp))
  if (bytes?.length !== pad.length) throw new InvalidResult('The vault’s answer holds no token')
  const token = new TextDecoder().decode(bytes.map((byte, index) => byte ^ pad[index]!))
  show(terminal, options, { root_token: token }, () => [
    ...pairs([['root token', token]]), '', 'It is shown this once. Revoke it when you are done with it.',
  ])
})
