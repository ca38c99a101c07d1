import type { Behaviour, ProgramProcess } from '../../runtime/sim/programs.ts'

const answer = (status: number, body: string) => async () => ({ status, headers: {}, body })

/** Whoever finds its port taken says so and exits, as most servers do. */
function serve(process: ProgramProcess, status: number): void {
  const port = Number(process.args[0])
  process.serve(port, answer(status, process.env['ZONEWRIGHT_SERVICE'] ?? '')).then(
    () => process.line('stdout', `listening on ${port}`),
    (error: Error) => {
      process.line('stderr', error.message)
      process.exit(1)
    },
  )
}

/** `[port, saveMs]`: a web server that answers with the name of its service, and takes its time to end. */
const web: Behaviour = (process) => {
  serve(process, 200)
  process.onSignal(() => {
    process.line('stdout', 'saving')
    process.clock.after(Number(process.args[1] ?? 1), () => process.exit(0))
  })
}

/** `[ms, code]` */
const exits: Behaviour = ({ args: [ms, code], clock, exit }) => void clock.after(Number(ms), () => exit(Number(code)))

/** `[port]`: a web server that is never well. */
const sick: Behaviour = (process) => serve(process, 503)

/** Ignores SIGTERM. */
const deaf: Behaviour = ({ onSignal, line }) => onSignal(() => line('stderr', 'not now'))

/** `[lines]`: prints so many every 10 ms, without end. */
const flood: Behaviour = ({ args: [lines], clock, line }) => {
  let printed = 0
  const turn = (): void => {
    for (let count = 0; count < Number(lines); count++) line('stdout', `${printed++}`)
    clock.after(10, turn)
  }
  turn()
}

/** Runs until it is ended. */
const idle: Behaviour = () => {}

/** Forks one that stays in its group and one that leaves it, both deaf. */
const family: Behaviour = (process) => {
  process.fork(deaf)
  process.fork(deaf, { leavesGroup: true })
}

/** Throws in its first turn. */
const broken: Behaviour = () => {
  throw new Error('no such setting')
}

/** Programs to run in a simulation, with what each does. */
export const readyPrograms = {
  '/opt/web': web, '/opt/exits': exits, '/opt/sick': sick, '/opt/deaf': deaf, '/opt/flood': flood, '/opt/idle': idle,
  '/opt/family': family, '/opt/broken': broken,
} as const satisfies Record<string, Behaviour>
