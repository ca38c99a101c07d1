import { spawn } from 'node:child_process'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Order } from './orders.ts'

/** A process of its own, so that no other's memory and threads count. */
export interface Child {
  ask<T>(order: Order): Promise<T>
  end(): Promise<void>
}

interface Answer { readonly value?: unknown; readonly error?: string }

export function startChild(): Child {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : process.execArgv
  const file = fileURLToPath(new URL('./process.ts', import.meta.url))
  const child = spawn(process.execPath, [...flags, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: ((answer: Answer) => void)[] = []
  const over = new Promise<void>((resolve) => {
    child.on('close', () => {
      for (const settle of waiting.splice(0)) settle({ error: 'The process has ended' })
      resolve()
    })
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.(JSON.parse(line) as Answer)
  })
  const ask = <T>(order: Order): Promise<T> => new Promise((resolve, reject) => {
    waiting.push(({ value, error }) => (error === undefined ? resolve(value as T) : reject(new Error(error))))
    child.stdin.write(`${JSON.stringify(order)}\n`)
  })
  return {
    ask,
    async end() {
      await ask({ type: 'end' })
      child.stdin.end()
      await over
    },
  }
}
