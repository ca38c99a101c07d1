/** Imported before a program on Node: its wall clock is off by so many milliseconds, in all of its threads. */
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'
import threads, { Worker, type WorkerOptions } from 'node:worker_threads'

const aheadMs = Number(process.env['WALL_CLOCK_AHEAD_MS'])
const off = `data:text/javascript,const now=Date.now.bind(Date);Date.now=()=>now()+(${aheadMs})`
await import(off)

class WorkerThatIsOff extends Worker {
  constructor(program: string | URL, options: WorkerOptions = {}) {
    super(program, { ...options, execArgv: [...options.execArgv ?? process.execArgv, '--import', off] })
  }
}
threads.Worker = WorkerThatIsOff
syncBuiltinESMExports()
