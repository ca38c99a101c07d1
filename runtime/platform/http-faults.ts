import type { HttpResponse } from './ports.ts'

export type Fault = HttpResponse & { readonly body: string }

/** What a fault says, as an object that becomes JSON. */
export type FaultBody = (error: string, code: string) => object

export type Faults = ReturnType<typeof createFaults>

/** What a server itself answers, before or in place of a handler: JSON, so that a program can read all that it gets. */
export function createFaults(bodyOf: FaultBody = (error, code) => ({ error, code })) {
  const fault = (status: number, code: string, error: string): Fault => ({
    status,
    headers: {
      connection: 'close',
      'content-type': 'application/json',
      ...(status === 503 ? { 'retry-after': '1' } : {}),
    },
    body: `${JSON.stringify(bodyOf(error, code))}\n`,
  })
  return {
    malformed: fault(400, 'InvalidArgument', 'The request cannot be read as HTTP'),
    slow: fault(408, 'DeadlineExceeded', 'The request took too long'),
    large: fault(413, 'LimitExceeded', 'The request is too large'),
    headers: fault(431, 'LimitExceeded', 'The headers of the request are too large'),
    failed: fault(500, 'Internal', 'The request failed'),
    late: fault(503, 'DeadlineExceeded', 'The answer took too long'),
    busy: fault(503, 'Overloaded', 'Too many requests at once'),
  } as const
}

/** By the error of the parser. */
export function faultOf(faults: Faults, code: string | undefined): Fault {
  if (code === 'HPE_HEADER_OVERFLOW') return faults.headers
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? faults.slow : faults.malformed
}
