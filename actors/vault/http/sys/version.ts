/** The release of Vault whose answers these are like; clients look at it before they use what is newer. */
export const API_VERSION = '1.15.0+zonewright'
