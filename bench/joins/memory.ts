import process from 'node:process'
import type { Memory } from './orders.ts'

/** Resident bytes of this process, and bytes of live objects in all of its threads, once all of them have collected. */
export async function collected(): Promise<Memory> {
  const heapBytes = 'Deno' in globalThis ? undefined : await heapsOfAll()
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const { rss: rssBytes } = process.memoryUsage()
  return { rssBytes, ...(heapBytes === undefined ? {} : { heapBytes }) }
}

const SETTLE_MS = 2_000

interface Answer { readonly id?: number; readonly result?: { readonly usedSize?: number } }

/** By the inspector, which reaches workers that know nothing of it. */
async function heapsOfAll(): Promise<number> {
  const { Session } = await import('node:inspector')
  const session = new Session()
  session.connect()
  const post = (method: string, params: object = {}): Promise<Answer['result']> => new Promise((resolve, reject) => {
    const done = (error: Error | null, result: Answer['result']): void => (error ? reject(error) : resolve(result))
    session.post(method, params as never, done as never)
  })
  const workers: string[] = []
  const waiting = new Map<string, (answer: Answer) => void>()
  session.on('NodeWorker.attachedToWorker' as never, ((event: { params: { sessionId: string } }) => {
    workers.push(event.params.sessionId)
  }) as never)
  session.on('NodeWorker.receivedMessageFromWorker' as never, ((
    { params: { sessionId, message } }: { params: { sessionId: string; message: string } },
  ) => {
    const answer = JSON.parse(message) as Answer
    if (answer.id !== undefined) waiting.get(`${sessionId} ${answer.id}`)?.(answer)
  }) as never)
  let id = 0
  const inWorker = (sessionId: string, method: string): Promise<Answer['result']> => new Promise((resolve, reject) => {
    const message = JSON.stringify({ id: ++id, method })
    waiting.set(`${sessionId} ${id}`, ({ result }) => resolve(result))
    post('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(reject)
  })
  await post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  const each = [post, ...workers.map((sessionId) => (method: string) => inWorker(sessionId, method))]
  const used = await Promise.all(each.map(async (ask) => {
    // What a first round frees by finalisers the second one collects
    for (let round = 0; round < 2; round++) await ask('HeapProfiler.collectGarbage')
    return (await ask('Runtime.getHeapUsage'))?.usedSize ?? 0
  }))
  await post('NodeWorker.disable')
  session.disconnect()
  return used.reduce((sum, bytes) => sum + bytes, 0)
}
