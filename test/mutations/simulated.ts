/** A simulated run as a judge of guards: its first word is the run, as JSON; it prints what the run broke. */
import process from 'node:process'
import { runHosts } from '../../boot/sim/hosts.ts'
import { runMigrate } from '../../boot/sim/migrate.ts'
import { runOods } from '../../boot/sim/oods.ts'
import { drawOptions, type GivenOptions } from '../../boot/sim/options.ts'
import { runPlacement } from '../../boot/sim/placement.ts'
import { runOnce } from '../../boot/sim/run.ts'
import { runYears } from '../../boot/sim/years.ts'
import type { SeedJudge } from './guard.ts'

const given = JSON.parse(process.argv[2]!) as GivenOptions & SeedJudge['options']
const { seed, scenario, years = 0, nodes = 0 } = given
const { failure } = scenario === 'years' ? await runYears({ seed, keys: 'cheap' }, {}, { years, nodes })
  : scenario === 'migrate' ? await runMigrate({ seed, keys: 'cheap' })
  : scenario === 'placement' ? await runPlacement(drawOptions({ seed, keys: 'cheap' }), {})
  : scenario === 'hosts' ? await runHosts(drawOptions({ seed, keys: 'cheap' }), {})
  : scenario === 'oods' ? await runOods(drawOptions({ seed, keys: 'cheap' }), {})
  : await runOnce(drawOptions(given))
console.log(failure ? `judged ${failure.invariant}` : 'judged')
