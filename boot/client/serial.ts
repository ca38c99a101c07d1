import { Usage } from '../errors.ts'

/** A serial number as people copy it: with colons or without, in either case. @throws Usage */
export function parseSerial(text: string): string {
  const digits = text.toLowerCase().replaceAll(':', '')
  if (!/^[0-9a-f]{2,64}$/.test(digits) || digits.length % 2 !== 0) {
    throw new Usage(`It is not a serial number: ${text}`, { next: 'It looks like 3a:4f:01; see `certs`' })
  }
  return digits.match(/../g)!.join(':')
}
