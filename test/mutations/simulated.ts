/** A simulated run as a judge of guards: its first word is the run, as JSON; it prints what the run broke. */
import process from 'node:process'
import { drawOptions, type GivenOptions } from '../../boot/sim/options.ts'
import { runOnce } from '../../boot/sim/run.ts'

const { failure } = await runOnce(drawOptions(JSON.parse(process.argv[2]!) as GivenOptions))
console.log(failure ? `judged ${failure.invariant}` : 'judged')
