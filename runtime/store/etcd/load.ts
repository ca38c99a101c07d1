import process from 'node:process'

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
  return await import('../etcd.ts')
}
