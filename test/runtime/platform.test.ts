/** The adapters of the running runtime: HTTP, files, the lock, clock. */
import { type ChildProcess, spawn } from 'node:child_process'
import { access, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AlreadyExists, FolderInUse, InvalidArgument, NotWritable, PortInUse } from '../../runtime/errors.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { openFolder } from '../../runtime/platform/files.ts'
import { serveHttp } from '../../runtime/platform/http.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../../runtime/platform/ports.ts'
import { failed } from './supervisor-fixture.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const never = new Promise<never>(() => {})
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const http = suite('http')

const BODY_MAX = 1_000
const REQUEST_MS = 600
let seen: HttpRequest[] = []

const routes: Readonly<Record<string, () => Promise<HttpResponse> | HttpResponse>> = {
  '/': () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'hellö' }),
  '/throws': () => {
    throw new Error('A secret text')
  },
  '/injects': () => ({ status: 200, headers: { 'x-name': 'a\r\nset-cookie: b' }, body: '' }),
  '/odd': () => ({ status: 99_999, headers: {}, body: '' }),
  '/never': () => never,
  '/slow': async () => {
    await sleep(150)
    return { status: 200, headers: {}, body: 'slow' }
  },
}

async function withServer(test: (server: HttpServer) => Promise<void>): Promise<void> {
  seen = []
  const server = await serveHttp(
    { hostname: '127.0.0.1', port: 0, bodyBytesMax: BODY_MAX, requestMsMax: REQUEST_MS },
    async (request) => {
      seen.push(request)
      return routes[request.path]!()
    },
  )
  try {
    await test(server)
  } finally {
    await server.close(0)
  }
}

interface Answer {
  readonly text: string
  readonly ms: number
  readonly closed: boolean
}

/** Sends this on a connection of its own and hears until it closes, or for three seconds. */
function send(port: number, text: string, msMax = 3_000): Promise<Answer> {
  return new Promise((resolve) => {
    const began = performance.now()
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const done = (closed: boolean): void => {
      clearTimeout(timer)
      resolve({ text: heard, ms: performance.now() - began, closed })
      socket.destroy()
    }
    const timer = setTimeout(() => done(false), msMax)
    socket.on('data', (chunk: Uint8Array) => {
      heard += new TextDecoder().decode(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => done(true))
  })
}

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'host: localhost', ...headers, '', ''].join('\r\n')
const statusOf = ({ text }: Answer): string => text.slice(9, 12)

http(
  'a body over the limit is answered 413, whether it says its length or not, and the handler never sees it',
  async () => {
    await withServer(async ({ port }) => {
      const said = await send(port, request('POST /', 'content-length: 5000') + 'x'.repeat(500))
      const chunked = await send(
        port,
        request('POST /', 'transfer-encoding: chunked') + `7d0\r\n${'x'.repeat(2_000)}\r\n`,
      )
      assert.equal([statusOf(said), statusOf(chunked)], ['413', '413'])
      assert.ok(said.closed && chunked.closed)
      assert.is(seen.length, 0)
      const whole = await send(
        port,
        request('POST /', `content-length: ${BODY_MAX}`, 'connection: close') + 'x'.repeat(BODY_MAX),
      )
      assert.is(statusOf(whole), '200')
      assert.is(seen[0]?.body.length, BODY_MAX)
    })
  },
)

http('a request that does not come whole, and an answer that does not come, end in time', async () => {
  await withServer(async ({ port }) => {
    const [body, head, silent, answer] = await Promise.all([
      send(port, request('POST /', 'content-length: 100') + 'x'),
      send(port, 'GET / HTTP/1.1\r\nhost: a\r\n'),
      send(port, ''),
      send(port, request('GET /never')),
    ])
    assert.equal([body, head, silent, answer].map(statusOf), ['408', '408', '408', '503'])
    for (const { ms, closed } of [body, head, silent, answer]) {
      assert.ok(closed && ms >= REQUEST_MS - 20 && ms < 4 * REQUEST_MS, `${ms} ms`)
    }
  })
})

http('HEAD is answered without a body, with the length it would have', async () => {
  await withServer(async ({ port }) => {
    const [get, head] = await Promise.all(
      ['GET', 'HEAD'].map((method) => send(port, request(`${method} /?a=1&b`, 'connection: close'))),
    )
    assert.match(get!.text, /content-length: 6\r\n/)
    assert.ok(get!.text.endsWith('\r\n\r\nhellö'))
    assert.match(head!.text, /content-length: 6\r\n/)
    assert.ok(head!.text.endsWith('\r\n\r\n'))
    assert.equal(seen.map(({ path, query }) => `${path} ${query}`), ['/ a=1&b', '/ a=1&b'])
  })
})

http('a handler that throws, or answers with what cannot be sent, is answered 500 without its text', async () => {
  await withServer(async ({ port }) => {
    for (const path of ['/throws', '/injects', '/odd']) {
      const answer = await send(port, request(`GET ${path}`, 'connection: close'))
      assert.is(statusOf(answer), '500', path)
      assert.not.match(answer.text, /secret|set-cookie/)
    }
    assert.is(statusOf(await send(port, request('GET /', 'connection: close'))), '200')
  })
})

http('a client that goes away in the middle harms nobody', async () => {
  await withServer(async ({ port }) => {
    await Promise.all(
      [request('POST /', 'content-length: 100') + 'x', request('GET /slow'), 'GET'].map((text) => send(port, text, 50)),
    )
    await sleep(200)
    assert.is(statusOf(await send(port, request('GET /', 'connection: close'))), '200')
  })
})

http('close lets what runs end, cuts what does not, and waits for no idle connection', async () => {
  await withServer(async (server) => {
    const idle = send(server.port, request('GET /'))
    const [slow, stuck] = [send(server.port, request('GET /slow')), send(server.port, request('GET /never'))]
    await sleep(50)
    const began = performance.now()
    await Promise.all([server.close(300), server.close(300)])
    const ms = performance.now() - began
    assert.ok(ms >= 280 && ms < REQUEST_MS, `${ms} ms`)
    const answers = await Promise.all([idle, slow, stuck])
    assert.equal(answers.map(statusOf), ['200', '200', ''])
    assert.ok(answers[0].ms < 250 && answers[1].ms < 300, answers.map(({ ms: each }) => each).join())
    assert.match(answers[1].text, /connection: close/i)
    assert.is((await send(server.port, request('GET /'))).text, '')
  })
})

http('a port that is taken is refused by name, and a free one is found', async () => {
  await withServer(async ({ port }) => {
    const options = { hostname: '127.0.0.1', port, bodyBytesMax: 1, requestMsMax: 1_000 }
    const error = await serveHttp(options, () => never).then(() => undefined, (thrown: unknown) => thrown)
    assert.instance(error, PortInUse)
    assert.ok(port > 0)
  })
})

http.run()

const files = suite('files')

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-platform-'))
  try {
    await test(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const classOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => undefined, (error: object) => error.constructor)

files('a file keeps its mode and its first contents, and whatever fails leaves nothing behind', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    await opened.create('key', utf8('one'), { mode: 0o600 })
    assert.is(await classOf(opened.create('key', utf8('two'), { mode: 0o600 })), AlreadyExists)
    assert.is(await opened.mode('key'), 0o600)
    assert.equal(new TextDecoder().decode(await opened.read('key')), 'one')
    await opened.write('key', utf8('three'), { mode: 0o640 })
    assert.is(await opened.mode('key'), 0o640)
    await opened.makeFolder('taken', { mode: 0o700 })
    await failed(opened.write('taken', utf8('a folder has this name'), { mode: 0o600 }))
    await failed(opened.write('missing/key', utf8('x'), { mode: 0o600 }))
    assert.is(await opened.read('none'), undefined)
    assert.equal(await opened.list('none'), [])
    assert.equal((await readdir(folder)).sort(), ['key', 'taken'])
  })
})

files('a name stays in its folder', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    for (const name of ['/etc/passwd', '../x', 'a/../../x', 'a\\..\\x']) {
      assert.throws(() => opened.path(name), (error: unknown) => error instanceof InvalidArgument)
    }
  })
})

files('a folder is made with all above it, private, by several at once; what cannot be one is refused', async () => {
  await inFolder(async (folder) => {
    await Promise.all(Array.from({ length: 8 }, () => openFolder(join(folder, 'a/b/c'))))
    for (const made of ['a', 'a/b', 'a/b/c']) assert.is((await stat(join(folder, made))).mode & 0o777, 0o700)
    await writeFile(join(folder, 'file'), '')
    for (const path of [join(folder, 'file'), join(folder, 'file/below'), '/proc/zonewright']) {
      assert.is(await classOf(openFolder(path)), NotWritable, path)
    }
  })
})

const program = fileURLToPath(new URL('../examples/lock-process.ts', import.meta.url))
const lockProcess = (folder: string, mode: string): ChildProcess => {
  const args = 'Deno' in globalThis ? ['run', '-A', program] : [program]
  return spawn(process.execPath, [...args, folder, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
}
const output = (child: ChildProcess): Promise<{ code: number | null; text: string }> => {
  let text = ''
  child.stdout!.on('data', (chunk: Uint8Array) => {
    text += new TextDecoder().decode(chunk)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })))
}

files('a lock names its holder, and ends with a process that is killed, as do its half-written files', async () => {
  await inFolder(async (folder) => {
    const child = lockProcess(folder, 'hold')
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    const opened = await openFolder(folder)
    assert.match(await failed(opened.lock('lock')), new RegExp(`^FolderInUse: .*process ${child.pid} `))
    const half = `owner.key.${child.pid}.1.tmp`
    await writeFile(join(folder, half), 'half a key')
    child.kill('SIGKILL')
    await output(child)
    const release = await opened.lock('lock')
    assert.not((await readdir(folder)).includes(half))
    await release()
    assert.equal(await readdir(folder), [])
  })
})

files('a process holds a lock once, and only who holds it can release it', async () => {
  await inFolder(async (folder) => {
    const opened = await openFolder(folder)
    const first = await opened.lock('lock')
    assert.is(await classOf(opened.lock('lock')), FolderInUse)
    await first()
    const second = await opened.lock('lock')
    await first()
    assert.is(await classOf(opened.lock('lock')), FolderInUse)
    await second()
  })
})

files(
  'of processes that compete for a lock and for what dead ones left, never do two hold it, and each gets it',
  async () => {
    await inFolder(async (folder) => {
      const children = Array.from({ length: 4 }, () => output(lockProcess(folder, '1500')))
      const stop = { now: false }
      const leaving = (async () => {
        for (let dead = 0; !stop.now; dead++) {
          await writeFile(join(folder, `lock.999999.${dead}-dead`), 'held')
          await sleep(5)
        }
      })()
      const ended = await Promise.all(children)
      stop.now = true
      await leaving
      assert.equal(ended.map(({ code }) => code), [0, 0, 0, 0])
      for (const { text } of ended) assert.ok(Number(text) > 0, text)
      assert.is(await access(join(folder, 'alone')).then(() => true, () => false), false)
    })
  },
)

files.run()

const clock = suite('clock')

clock('a timer beyond what timers hold waits, and one that is cancelled does not run', async () => {
  let ran = 0
  const cancels = [2 ** 31, 2 ** 40, 20].map((ms) => systemClock.after(ms, () => void ran++))
  cancels[2]!()
  cancels[2]!()
  await sleep(60)
  assert.is(ran, 0)
  systemClock.after(1, () => void ran++)
  await sleep(60)
  assert.is(ran, 1)
  for (const cancel of cancels) cancel()
})

clock.run()
