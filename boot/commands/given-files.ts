import { readConfig, withSetting } from '../config.ts'
import { ConfigInvalid, Usage } from '../errors.ts'
import { file } from '../init.ts'
import type { Terminal } from '../terminal.ts'
import type { UpOptions } from '../up.ts'

/** What of `up` a person gives as files. */
export interface GivenFiles {
  readonly dir: string
  readonly config?: string
  readonly port?: number
  readonly otlp?: string
  readonly ownerPassphraseFile?: string
}

/** @throws ConfigInvalid, Usage */
export async function readGiven(
  terminal: Terminal, options: GivenFiles,
): Promise<Pick<UpOptions, 'folder' | 'config' | 'ownerPassphrase'>> {
  const config = await configText(terminal, options)
  const path = options.ownerPassphraseFile
  return {
    folder: options.dir,
    ...(config === undefined ? {} : { config }),
    ...(path === undefined ? {} : { ownerPassphrase: await passphraseIn(terminal, terminal.absolute(path)) }),
  }
}

const isAbsent = (code: string | undefined): boolean => code === 'ENOENT' || code === 'ENOTDIR'

/** Undefined means `zone.yaml` in the folder, if there is one: `up` reads it itself. */
async function configText(terminal: Terminal, { dir, config, port, otlp }: GivenFiles): Promise<UpOptions['config']> {
  if (config === undefined && port === undefined && otlp === undefined) return undefined
  const path = terminal.absolute(config ?? `${dir}/${file.config}`)
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    if (config === undefined && isAbsent(error.code)) return ''
    const next = 'Give the path of a file with --config'
    throw new ConfigInvalid(`The config file cannot be read: ${path} (${error.code})`, { path, next })
  })
  // Before the folder is made; with another value in it, its lines would not be those of the file
  readConfig(text, path)
  const ported = port === undefined ? text : withSetting(text, ['http', 'port'], port)
  if (otlp === undefined) return { path, text: ported }
  const traced = withSetting(ported, ['telemetry', 'otlp'], otlp)
  readConfig(traced, '--otlp')
  return { path, text: traced }
}

async function passphraseIn(terminal: Terminal, path: string): Promise<string> {
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    throw new Usage(`The passphrase file cannot be read: ${path} (${error.code})`, { path })
  })
  const [passphrase = ''] = text.split(/\r?\n/)
  if (passphrase !== '') return passphrase
  throw new Usage(`The passphrase file is empty: ${path}`, { path, next: 'Write the passphrase into its first line' })
}
