/** What the vault of the first release wrote for a throw-away zone: later ones must open it. */
export const firstRelease = {
  unsealKey: 'nLh5U-s2UQmeL4Mo0CBleCkz5WEyYRwkXdHqQvnsUdo',
  kid: 'DnDqwbgSnUEhkKIUvfi3wkwWKFVW0Xu5YQ11r-dUw5c',
  entries: {
    'core/keyring':
      'AAAAAAI-zUq95xmdCx8kHOXOsJUwGCZMDnUq39FZVwAxMzaAG5SxIkMWIRUk_UT0PAagt4T900LtbgmJuXB5sXGpSlKlPXMr1re4' +
      '5MUQqaGWT3QKESej7zP3F1p7Z3P0srcngttvkwi4CafykY_GpT4NdurXoIOXMm0a_Onl_FpImySp4VWRRjh-AKfH2GfDIQkfbmeE' +
      'zkFHewPaIv0ezHXRQd7iEh_KcRlsAQU9GdmSreLFHiBngVEkbhLy2mKxMgY',
    'core/seal-config':
      'eyJmb3JtYXQiOjEsInZhdWx0SWQiOiIxY0Ytai1WUVRGZWZ5WkJvV0VIRWt3Iiwic2hhcmVzIjo1LCJ0aHJlc2hvbGQiOjMsInJv' +
      'b3RLZXlJZCI6IllVX3l4R2VWS3dQVzlhWkxZMmxodFEiLCJ1bnNlYWxLZXlJZCI6Ik00dWNaRnhIWjVjdXVZQ1V4NFhUUUEifQ',
    'core/unseal/auto':
      'AAAAAAL_96oDvOgiLxtJ_YSw3PCDu0ehiRbI2vZ6FUNDhQTGAnPbhE5BfeDGkRy1nS16SZIRUBzHU3wvE2IgsyA',
    'keys/verify-hub':
      'AAAAAQIQO_JOZea-jpKKcvicVJRWg-0L1YAjK4kAt_0_lBi8I7XeWI3GmSAAWPSk9qJnKtDhBBEkc89EbzDa3vhL8ucJ6-X1WAtx' +
      'fIE_fJFtPjP-dmMhdCyv0eE0shOvFYXNAQqO4_jZL0y6iN0svFfQIuFoKqh99hdgB8Pc0FjPMY0mADucmdlWdLPyAx__wkPz2ZPs' +
      'DPvF6Nf_BoEkoJc80hRmFjrGpJuwztCj22_8WcWHW2cn-R1wKbPxxAS5AEWdkFPSXtYBrZu1Zcd8O0j9mJGAf7XSSwX9mTOmb13g' +
      'w0zSaP4vkdEY6J9PwrGSaN_rMK21Rruhk2koWxWOC0BK9DxP-Y164NeccN3gNcAYs9pdNGcjzNHjjxtqDPSsqJPO_mtEdkKGJgT8' +
      'daf0nrA2RN3jZzbYklm4Zf5aYEyPpZwb_-itP5I2bHqBEVPWoN90nAGTLMczcI8qJW2eD0IFEhW8V0Z9OApi5B2diEVqMPk4tVDg' +
      'ORnmDg',
    'secret/metadata/verify-hub/a':
      'AAAAAQLCeldikcY-PnJ6eI2CsjDm5NOLFPY8oi9O9cqSLZzeopm9GS-T6tGyXQG8QsoBft3E-T76lheY3EFzUC2YmFyCL5E75FUg' +
      'tyxnJCTF6xoltX8L8gBN5sjQF7SyAiza',
    'secret/versions/verify-hub/a/1':
      'AAAAAQKsx5wBqlXjugFXSMkwmGIu1LRPWiES8u5_HKUqlJddamCac_zKBqnrLt5E',
  },
}
