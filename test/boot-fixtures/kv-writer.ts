/** A program: boots the zone of a folder and writes, 64 calls in flight, until it is killed. Prints each answer. */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { up } from '../../boot/up.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { deviceSession } from './effects.ts'

const IN_FLIGHT = 64
const WIDTH = 200

const [folder, first] = process.argv.slice(2) as [string, string]
const zone = await up({ platform: await openPlatform(), folder })
const token = await deviceSession(folder, zone.config.host)
const kv = zone.get(SystemConfig)
const writer = async (slot: number): Promise<void> => {
  for (let number = Number(first); ; number++) {
    const key = `services/crash/instances/k${slot}`
    const { revision } = await kv.set({ key, value: String(number).padStart(WIDTH, '0') }, { token })
    // At once: a pipe keeps it when the writer is killed
    writeSync(1, `${slot} ${number} ${revision}\n`)
  }
}
writeSync(1, 'writing\n')
await Promise.all(Array.from({ length: IN_FLIGHT }, (_, slot) => writer(slot)))
