/** A process with one actor: `stop` stops it again, `serve` leaves it running, `throw` fails with it running. */
import process from 'node:process'
import { supervise, worker } from '../../runtime/index.ts'
import { Unruly } from './unruly-protocol.ts'

const zone = await supervise([worker(Unruly, new URL('./unruly.ts', import.meta.url))])
console.log(await zone.get(Unruly).echo({ text: 'serving' }))
if (process.argv[2] === 'stop') await zone.stop()
if (process.argv[2] === 'throw') throw new Error('Planted')
