import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { HttpResponse } from '../../runtime/platform/ports.ts'
import { open, request, send, statusOf, until, withServer } from '../runtime/http-fixture.ts'

const test = suite('limits of the HTTP server')
const ok: HttpResponse = { status: 200, headers: {}, body: 'ok' }

test('as many requests as the limit run at once, one more is answered 503, and then there is place again', async () => {
  let running = 0
  let finish = (): void => {}
  const finished = new Promise<void>((resolve) => { finish = resolve })
  const handle = async (): Promise<HttpResponse> => {
    running++
    await finished
    return ok
  }
  await withServer(handle, async ({ port }) => {
    const row = Array.from({ length: limits.httpPipelined }, () => request('GET /')).join('')
    const connections = await Promise.all(
      Array.from({ length: limits.httpRequests / limits.httpPipelined }, () => open(port, row)))
    assert.ok(await until(() => running === limits.httpRequests, 10_000), `${running} run`)
    const one = request('GET /', 'connection: close')
    assert.is(statusOf(await send(port, one)), '503')
    finish()
    assert.ok(await until(() => connections.every(({ heard }) =>
      heard.match(/HTTP\/1\.1 200/g)?.length === limits.httpPipelined), 10_000), 'all are answered')
    assert.is(statusOf(await send(port, one)), '200')
    for (const { socket } of connections) socket.destroy()
  }, { requestMsMax: 30_000 })
})

test.run()
