import type { Command } from 'commander'
import { openPlatform } from '../../runtime/platform/index.ts'
import { Usage } from '../errors.ts'
import { pairs, styleOf } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { startVaultAlone } from '../vault-alone.ts'
import { command, wholeNumber } from './command.ts'
import { textFile } from './files.ts'

interface ServeOptions {
  readonly json?: true
  readonly dir: string
  readonly hostname: string
  readonly port: number
  readonly tlsCertificate?: string
  readonly tlsKey?: string
}

export const vaultServeCommand = (terminal: Terminal): Command => command(terminal, 'serve', {
  description: 'Serve the vault of a folder, with no zone around it, until Ctrl-C',
  examples: [
    'vault serve', 'vault serve --dir ./vault --port 8300',
    'vault serve --hostname 0.0.0.0 --tls-certificate ./vault.pem --tls-key ./vault.key',
  ],
})
  .option('--dir <folder>', 'where it keeps everything; made if it is missing', './.vault')
  .option('--hostname <name>', 'where it listens; elsewhere than on this machine by TLS only', '127.0.0.1')
  .option('--port <n>', '0 takes a free one', wholeNumber(0, 65_535), 8_200)
  .option('--tls-certificate <file>', 'PEM of its certificate, with those between it and the root')
  .option('--tls-key <file>', 'PEM of the private key of that')
  .action((options: ServeOptions) => serve(terminal, options))

async function serve(terminal: Terminal, options: ServeOptions): Promise<void> {
  const { hostname, port, tlsCertificate, tlsKey } = options
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) {
    throw new Usage('A certificate and its key belong together', { next: 'Give --tls-certificate and --tls-key' })
  }
  const tls = tlsCertificate === undefined || tlsKey === undefined ? undefined : {
    certificate: await textFile(terminal, tlsCertificate, 'certificate'), key: await textFile(terminal, tlsKey, 'key'),
  }
  const vault = await startVaultAlone({
    platform: await openPlatform(), folder: terminal.absolute(options.dir), http: { hostname, port, tls: 'off' },
    ...(tls ? { tls } : {}),
  })
  const { address } = vault
  const host = address.hostname.includes(':') ? `[${address.hostname}]` : address.hostname
  const url = `${address.tls ? 'https' : 'http'}://${host}:${address.port}`
  if (options.json) terminal.out(JSON.stringify({ ready: true, address: url, sealed: true }))
  else {
    const style = styleOf(terminal.colours)
    const lines = [
      `${style.good('ready')}, and sealed: it opens for who has its shares`, '',
      ...pairs([
        ['address', style.bold(url)], ['folder', terminal.absolute(options.dir)],
      ]),
      '', 'Try next, in another terminal:',
      ...pairs([
        [`${terminal.invocation} vault init --address ${url}`, 'the first time: its shares and its root token'],
        [`${terminal.invocation} vault unseal --address ${url}`, 'after each start'],
        [`export VAULT_ADDR=${url}`, 'for these commands, and for clients of HashiCorp Vault'],
      ]),
      '', 'Ctrl-C stops it',
    ]
    for (const line of lines) terminal.out(line)
  }
  const signal = await Promise.race([terminal.interrupted(), vault.ended])
  if (typeof signal === 'string' && !options.json) terminal.out(`${signal}: stopping`)
  await vault.stop()
  if (typeof signal !== 'string') throw signal
}
