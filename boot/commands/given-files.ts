import { DEFAULT_DIR } from '../client/locate.ts'
import { readConfig, withSetting } from '../config.ts'
import { ConfigInvalid, Usage } from '../errors.ts'
import { file } from '../init.ts'
import type { Terminal } from '../terminal.ts'
import type { UpOptions } from '../up.ts'

/** What of `up` a person gives as files. */
export interface GivenFiles {
  /** Of `--dir`. */
  readonly dir?: string
  readonly config?: string
  readonly port?: number
  readonly otlp?: string
  readonly ownerPassphraseFile?: string
}

export const FOLDER_OPTION =
  'the folder of the zone; made if it is missing (default: tls_config.vault_folder of --config, else ./.zone)'

/** @throws ConfigInvalid, Usage */
export async function readGiven(
  terminal: Terminal, options: GivenFiles,
): Promise<Pick<UpOptions, 'folder' | 'config' | 'ownerPassphrase'>> {
  const config = await configText(terminal, options)
  const path = options.ownerPassphraseFile
  return {
    folder: folderOf(options, config),
    ...(config === undefined ? {} : { config }),
    ...(path === undefined ? {} : { ownerPassphrase: await passphraseIn(terminal, terminal.absolute(path)) }),
  }
}

/** For who needs a config: that of `--config`, else `zone.yaml` in the folder. @throws ConfigInvalid, Usage */
export async function readConfigured(
  terminal: Terminal, options: GivenFiles,
): Promise<Pick<UpOptions, 'folder' | 'ownerPassphrase'> & { readonly config: NonNullable<UpOptions['config']> }> {
  const { dir = DEFAULT_DIR } = options
  const given = await readGiven(terminal, options)
  if (given.config) return { ...given, config: given.config }
  const path = terminal.absolute(`${dir}/${file.config}`)
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    throw new ConfigInvalid(`There is no config: ${path} (${error.code})`, {
      path, next: 'Give its path with --config',
    })
  })
  readConfig(text, path)
  return { ...given, config: { path, text } }
}

function folderOf({ dir, config: path }: GivenFiles, config: UpOptions['config']): string {
  if (dir !== undefined) return dir
  // A file in the folder need not say which folder that is
  const said = config && path !== undefined ? readConfig(config.text, config.path).config.tls.vaultFolder : undefined
  return said ?? DEFAULT_DIR
}

const isAbsent = (code: string | undefined): boolean => code === 'ENOENT' || code === 'ENOTDIR'

/** Undefined means `zone.yaml` in the folder, if there is one: `up` reads it itself. */
async function configText(
  terminal: Terminal, { dir = DEFAULT_DIR, config, port, otlp }: GivenFiles,
): Promise<UpOptions['config']> {
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
  const read = (): Promise<string> => terminal.read(path).catch(() => text)
  if (otlp === undefined) return { path, text: ported, read }
  const traced = withSetting(ported, ['telemetry', 'otlp'], otlp)
  readConfig(traced, '--otlp')
  return { path, text: traced, read }
}

async function passphraseIn(terminal: Terminal, path: string): Promise<string> {
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    throw new Usage(`The passphrase file cannot be read: ${path} (${error.code})`, { path })
  })
  const [passphrase = ''] = text.split(/\r?\n/)
  if (passphrase !== '') return passphrase
  throw new Usage(`The passphrase file is empty: ${path}`, { path, next: 'Write the passphrase into its first line' })
}
