/** The channel over a MessagePort. It comes with the platform's workers, which make the ports. */
export { portChannel, type Port } from '../runtime/platform/port-channel.ts'
