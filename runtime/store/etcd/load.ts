import process from 'node:process'
import { setImmediate } from 'node:timers/promises'

/**
 * What speaks to etcd. grpc-js reads variables of the environment as it is loaded: a worker has none, and on Deno may
 * not even look. There it is given an empty one, as workers of Node have.
 */
export async function loadEtcd(): Promise<typeof import('../etcd.ts')> {
  try {
    void process.env['GRPC_TRACE']
  } catch {
    Object.defineProperty(process, 'env', { value: {}, configurable: true, writable: true })
  }
  // In two steps, with what waits in between: loading stops the thread, whose actor may serve
  await import('@grpc/grpc-js')
  await setImmediate()
  return await import('../etcd.ts')
}
