import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { barrierView, createBarrier } from '../../actors/vault/barrier.ts'
import { createPki } from '../../actors/vault/pki/pki.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { certificatePem } from '../../actors/vault/pki/authority-record.ts'
import { HOST } from './payload.ts'

export interface Alone {
  sign(csr: string): Promise<string>
  close(): Promise<void>
}

/** The engine in this thread, on a durable store behind its barrier: no link and no actor. */
export async function openAlone(platform: Platform): Promise<Alone> {
  const { keys, random, clock } = platform
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  const store = await openEmbeddedStore(folder, platform)
  const aead = keys.aead(random.bytes(32))
  const barrier = createBarrier({ store, random, terms: { current: { term: 1, aead }, aeadOf: () => aead } })
  const ports = { barrier: barrierView(barrier, 'pki/'), keys, random, clock }
  const pki = createPki({ mount: 'pki', zone: 'bench.local', ports })
  await pki.rotation.ensure()
  const use = await pki.roles.read('ood')
  const peer = { zone: 'bench.local', host: HOST, actor: 'bench', runtimeType: 'ood', incarnation: 1, kid: 'bench' }
  return {
    async sign(csr) {
      const { der } = await pki.issuing.sign(csr, use, { names: [] }, { holder: 'bench', peer })
      return certificatePem(der)
    },
    async close() {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
