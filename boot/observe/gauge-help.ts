/** What the gauges of actors say, by name. */
export const gaugeHelp: Readonly<Record<string, string>> = {
  zonewright_certificate_expiry_seconds:
    'When the first certificate of a role ends that no newer one has followed, in seconds since the epoch',
  zonewright_certificates: 'Certificates in the inventory, by state: valid, revoked, ended',
  zonewright_authority_expiry_seconds: 'When the authority that signs now ends, in seconds since the epoch',
  zonewright_crl_expiry_seconds: 'When the first of the published revocation lists ends, in seconds since the epoch',
  zonewright_vault_sealed: 'Whether the vault is sealed',
  zonewright_leads: 'Whether this host leads by that name: of all hosts at most one does',
  zonewright_node_up: 'Whether a host tells of itself regularly',
}
