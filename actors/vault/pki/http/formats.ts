import { certificatePem } from '../authority-record.ts'

export type Format = 'pem' | 'der' | 'pem_bundle'

/** As Vault answers PEM: without a newline at its end. */
export const trimmed = (pem: string): string => pem.trimEnd()

/** The base64 inside of a PEM block: its DER. */
const base64Of = (pem: string): string => pem.replace(/-----[^-]*-----|\s/g, '')

export const keyFormatted = (format: Format, pem: string): string => (format === 'der' ? base64Of(pem) : trimmed(pem))

/** A certificate; in a bundle its key, if there is one, stands before it and its chain behind. */
export function formatted(
  format: Format, der: Uint8Array, { chain, privateKey }: { chain: readonly string[]; privateKey?: string | undefined },
): string {
  const pem = certificatePem(der)
  if (format !== 'pem_bundle') return keyFormatted(format, pem)
  return trimmed([...(privateKey === undefined ? [] : [privateKey]), pem, ...chain].join(''))
}
