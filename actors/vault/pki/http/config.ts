import type { EngineResponse } from '../../engine.ts'
import type { Settings } from '../settings.ts'
import type { Route } from './route.ts'

const crl = ({ crlSeconds }: Settings): EngineResponse => ({
  data: {
    expiry: `${crlSeconds}s`, disable: false, auto_rebuild: false, auto_rebuild_grace_period: '12h',
    enable_delta: false, delta_rebuild_interval: '15m', ocsp_disable: true, ocsp_expiry: '12h',
  },
})
const urls = ({ crlUrls }: Settings): EngineResponse => ({
  data: {
    issuing_certificates: [], crl_distribution_points: crlUrls, ocsp_servers: [], enable_templating: false,
  },
})

export const configRoutes: readonly Route[] = [
  {
    path: 'config/crl',
    on: {
      read: async ({ pki }) => crl(await pki.settings.read()),
      write: async ({ pki, data }) => {
        const set = await pki.settings.setCrl(data)
        await pki.revocation.refresh(true)
        return crl(set)
      },
    },
  },
  {
    path: 'config/urls',
    on: {
      read: async ({ pki }) => urls(await pki.settings.read()),
      write: async ({ pki, data }) => urls(await pki.settings.setUrls(data)),
    },
  },
]
