import { pkiEngine } from '../../actors/vault/pki/http/engine.ts'
import type { EngineResponse } from '../../actors/vault/engine.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { mounted, type Mounted } from './pki-fixture.ts'

export type Data = Record<string, unknown>
/** Speaks to the engine of a mount as the HTTP side does. */
export function client(made: Mounted) {
  const engine = pkiEngine(made.pki)
  const go = (operation: Parameters<typeof engine.handle>[0]['operation'], path: string, data: Data) =>
    engine.handle({ operation, path, data, holder: 'accessor-1' })
  const dataOf = async (answer: Promise<EngineResponse>): Promise<Data> => ({ ...(await answer).data })
  return {
    engine,
    answer: (path: string, data: Data = {}) => go('update', path, data),
    write: (path: string, data: Data = {}) => dataOf(go('update', path, data)),
    patch: (path: string, data: Data) => dataOf(go('patch', path, data)),
    read: (path: string) => dataOf(go('read', path, {})),
    file: async (path: string) => (await go('read', path, {})).raw!,
    list: (path: string) => dataOf(go('list', path, {})),
    remove: (path: string) => go('delete', path, {}),
  }
}

export async function ready(role: Data = {}) {
  const made = mounted('mine')
  const vault = client(made)
  const root = await vault.write('root/generate/internal', { common_name: 'My root', key_type: 'ec', ttl: '87600h' })
  await vault.write('roles/web', {
    allowed_domains: ['a.example'], allow_subdomains: true, key_type: 'ec', max_ttl: '72h', ...role,
  })
  return { ...vault, made, root }
}
export const pemOf = (value: unknown): ReturnType<typeof parseCertificate> =>
  parseCertificate(decodePem(String(value), 'CERTIFICATE'))
