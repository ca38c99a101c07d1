import { actor } from '../../runtime/actor.ts'
import { Listening } from './listener/serving.ts'
import { Vault, VaultListener } from './protocol.ts'

/**
 * HashiCorp Vault's API, for stock clients. The vault itself has no network: it is asked over a sealed link, and what
 * listens has neither its store nor its keys.
 */
export default actor(VaultListener, { needs: { vault: Vault }, stateless: true }, async (start) => {
  const listening = new Listening(start)
  await listening.open()
  return {
    handlers: { address: () => listening.address },
    lifecycle: {
      admit: (peer) => peer.host === start.self.host,
      stop: () => listening.close(),
    },
  }
})
