import { InvalidArgument } from '../../../../runtime/errors.ts'
import { parseCertificate } from '../../../../runtime/x509/certificate.ts'
import { sameBytes } from '../../../../runtime/x509/der.ts'
import { decodePem } from '../../../../runtime/x509/pem.ts'
import type { EngineResponse } from '../../engine.ts'
import { NotInVault } from '../../protocol.ts'
import type { FoundCertificate } from '../certificates.ts'
import { serialKey } from '../serials.ts'
import { safetyMs } from '../tidy.ts'
import { rfc3339 } from './fields.ts'
import type { Call, Route } from './route.ts'

/** By its serial, or by itself. Of what is not in the inventory nobody knows who has it. */
async function foundBy(call: Call): Promise<FoundCertificate> {
  const { pki, fields, holder } = call
  const [serial, pem] = [fields.text('serial_number'), fields.text('certificate')]
  if ((serial === undefined) === (pem === undefined)) {
    throw new InvalidArgument('Give one of serial_number and certificate')
  }
  if (pem !== undefined) {
    const certificate = parseCertificate(decodePem(pem, 'CERTIFICATE'))
    await pki.issuing.adopt(certificate, { holder })
    return pki.certificates.read(serialKey(certificate.serial))
  }
  try {
    return await pki.certificates.read(serial!)
  } catch (error) {
    // A serial in a body is a wrong request, not a wrong path
    if (!(error instanceof NotInVault)) throw error
    throw new InvalidArgument(`certificate with serial ${serial!.slice(0, 64)} not found`)
  }
}

async function revoke(call: Call): Promise<EngineResponse> {
  const { key } = await foundBy(call)
  const { revokedAt } = await call.pki.revocation.revoke(key)
  return {
    data: {
      revocation_time: Math.floor(revokedAt / 1_000), revocation_time_rfc3339: rfc3339(revokedAt), state: 'revoked',
    },
  }
}

/** For who has its key, and no other right. */
async function revokeWithKey(call: Call): Promise<EngineResponse> {
  const { pki, fields } = call
  const { stored } = await foundBy(call)
  const key = pki.ports.keys.certificates.importPem(fields.needed('private_key'))
  if (!sameBytes(parseCertificate(stored.der).spki, key.public.spki)) {
    throw new InvalidArgument('The private key is not that of the certificate')
  }
  return revoke(call)
}

/** It goes on by itself: `tidy-status` says how far it is. */
function tidy({ pki, fields }: Call): EngineResponse {
  const safety = fields.seconds('safety_buffer')
  pki.startTidy(safety === undefined ? safetyMs : safety * 1_000)
  return {
    status: 202,
    warnings: ['Tidy operation successfully started. Its status is at tidy-status'],
  }
}

function tidyStatus({ pki }: Call): EngineResponse {
  const { state, startedAt, finishedAt, error, removed, unlisted, safety } = pki.tidyStatus()
  const time = (at: number | undefined): string | null => (at === undefined ? null : rfc3339(at))
  return {
    data: {
      state, error: error ?? null, time_started: time(startedAt), time_finished: time(finishedAt),
      safety_buffer: safety === undefined ? null : safety / 1_000, tidy_cert_store: true, tidy_revoked_certs: true,
      cert_store_deleted_count: removed ?? null, revoked_cert_deleted_count: unlisted ?? null, message: null,
    },
  }
}

export const revokeRoutes: readonly Route[] = [
  { path: 'revoke', on: { write: revoke } },
  { path: 'revoke-with-key', on: { write: revokeWithKey } },
  { path: 'tidy', on: { write: tidy } },
  { path: 'tidy-status', on: { read: tidyStatus } },
]
