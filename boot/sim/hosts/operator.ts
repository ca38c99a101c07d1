import { parse } from 'valibot'
import { TokenMade } from '../../../actors/enrolment/control.ts'
import { hostsPath, HostTold, joinTokensPath } from '../../../actors/enrolment/protocol.ts'
import { Unavailable } from '../../../runtime/errors.ts'
import type { HttpAnswer, Platform } from '../../../runtime/platform/ports.ts'
import type { Infer, Schema } from '../../../runtime/protocol.ts'
import { ENROLMENT_SOCKET, file } from '../../init.ts'
import { parseJson } from '../../parse-json.ts'
import { FOLDER, OOD, type SimulatedCluster } from '../cluster.ts'
import type { Desk, Login } from '../desk.ts'

export type Made = Infer<typeof TokenMade>

const SOCKET = `/${FOLDER}/${file.run}/${ENROLMENT_SOCKET}`
const CALL_MS = 10_000

/** Somebody with a terminal on the machine of the control plane, and the session of the owner. */
export class Operator {
  readonly #platform: Platform
  readonly #desk: Desk
  /** Told of each secret that it is given. */
  readonly #onSecret: (secret: string) => void
  #login: Login | undefined

  constructor({ world }: SimulatedCluster, desk: Desk, onSecret: (secret: string) => void) {
    this.#onSecret = onSecret
    this.#platform = world.startProcess(OOD).platform
    this.#desk = desk
  }

  /** As `gen join-token` does. Tries until it is made. */
  async token(host: string): Promise<Made> {
    const made = await this.#until(() => this.#ask(TokenMade, 'POST', joinTokensPath, { host, role: 'node' }))
    this.#onSecret(made.token)
    return made
  }

  /** As `revoke HOST` does. Tries until it is answered. */
  async revoke(host: string): Promise<void> {
    await this.#until(() => this.#ask(HostTold, 'DELETE', `${hostsPath}/${host}`))
  }

  /** A call of the owner by the zone's gateway. Tries until it is answered. */
  call(...[service, method, params]: Parameters<Desk['call']>): Promise<unknown> {
    return this.#until(async () => this.#desk.call(service, method, params, await this.session()))
  }

  /** That is good now, as far as anybody knows. */
  async session(): Promise<string> {
    this.#login ??= await this.#desk.login()
    return this.#login.token
  }

  /** One that was refused: the next is asked for. */
  forget(): void {
    this.#login = undefined
  }

  async #until<T>(act: () => Promise<T>): Promise<T> {
    return (await this.#desk.until(() => false, async () => {
      try {
        return await act()
      } catch (error) {
        this.forget()
        throw error
      }
    }))!
  }

  async #ask<S extends Schema>(schema: S, method: string, path: string, body?: object): Promise<Infer<S>> {
    const token = await this.session()
    const answer = await this.#platform.transport.request({
      hostname: '', port: 0, socket: SOCKET, method, path, withinMs: CALL_MS,
      body: body === undefined ? '' : JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    })
    const value = parseJson(await whole(answer))
    if (answer.status >= 300) throw new Unavailable(`${method} ${path}: ${answer.status} ${JSON.stringify(value)}`)
    return parse(schema, value)
  }
}

async function whole({ body }: HttpAnswer): Promise<Uint8Array> {
  const bytes: number[] = []
  for await (const piece of body) bytes.push(...piece)
  return Uint8Array.from(bytes)
}
