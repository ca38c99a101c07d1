export { pause } from '../runtime/within.ts'
