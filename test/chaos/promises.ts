/** What the zone has promised, looked at while it is struck and when all is healed. */
import { answered } from './delay.ts'
import type { Field } from './field.ts'
import { REPLICAS, runningBelow, services, type Running } from './service.ts'
import { COUNT, ENTRIES, Owner, type Tally } from './traffic.ts'

/** What no moment may show. Two looks in a row have to: a process that ends is there for an instant. */
export function doubles(running: readonly Running[], home: string | undefined): readonly string[] {
  return services.flatMap((service) => {
    const on = running.filter((each) => each.service === service).map(({ host }) => host).sort()
    return [
      ...(on.length > REPLICAS[service] ? [`${service} runs ${on.length} times: ${on.join()}`] : []),
      ...(new Set(on).size < on.length ? [`${service} runs twice on one host: ${on.join()}`] : []),
      ...(service === 'ledger' && home !== undefined && on.some((host) => host !== home)
        ? [`ledger runs on ${on.join()}, and its state is on ${home}`] : []),
    ]
  })
}

export const look = (field: Field): readonly Running[] => runningBelow(field.folder)

interface Info { readonly hosts: readonly string[]; readonly missing?: number }
interface Heard { readonly name: string; readonly state: string }
interface Report { readonly report: number; readonly incarnation: number }

/** Of everything that should be as it was before. None: all is well. */
export async function faultsNow(field: Field, home: string | undefined): Promise<readonly string[]> {
  const { oods, nodes, password } = field
  const faults: string[] = []
  const owners = oods.map((ood) => ({ ood, owner: new Owner(field.gateway(ood), password) }))
  const [{ owner }] = owners as [typeof owners[number]]
  for (const { ood, owner: theirs } of owners) {
    await theirs.get(COUNT).catch((error: unknown) => faults.push(`${ood} does not answer: ${String(error)}`))
  }
  if (faults.length > 0) return faults
  const running = look(field)
  faults.push(...doubles(running, home))
  for (const service of services) {
    const info = JSON.parse((await owner.get(`services/${service}/info`))?.value ?? '{"hosts":[]}') as Info
    const placed = [...info.hosts].sort().join()
    const on = running.filter((each) => each.service === service).map(({ host }) => host).sort().join()
    if (info.hosts.length !== REPLICAS[service]) faults.push(`${service} is placed on ${placed || 'no host'}`)
    if (on !== placed) faults.push(`${service} is placed on ${placed || 'no host'}, and runs on ${on || 'none'}`)
    for (const host of info.hosts) {
      const answer = await field.local(host, service).get('/', 5_000).catch(String)
      if (answer !== `${service} on ${host}`) faults.push(`${service} on ${host} answers: ${answer}`)
    }
  }
  faults.push(...await leaderFaults(field))
  const { nodes: heard } = await owner.call('nodes', {}, 'node-monitor') as { readonly nodes: readonly Heard[] }
  for (const host of [...oods, ...nodes]) {
    const state = heard.find(({ name }) => name === host)?.state
    if (state !== 'up') faults.push(`${host} is ${state ?? 'not known'}`)
  }
  return faults
}

/** A report that comes by a host's tunnel now. */
export async function reportOf(owner: Owner, host: string): Promise<string> {
  const item = await owner.get(`devices/${host}/info`)
  const { report, incarnation } = JSON.parse(item?.value ?? '{}') as Report
  return `${incarnation} ${report}`
}

/** Of each name that is led by anybody, one OOD says that it leads. */
async function leaderFaults(field: Field): Promise<readonly string[]> {
  const leaders = new Map<string, string[]>()
  for (const ood of field.oods) {
    const text = await field.gateway(ood).get('/metrics')
    for (const [, name = '', value] of text.matchAll(/^zonewright_leads\{[^}]*name="([^"]+)"[^}]*\} (\d)$/gm)) {
      leaders.set(name, [...leaders.get(name) ?? [], ...(value === '1' ? [ood] : [])])
    }
  }
  const faults = [...leaders].filter(([, on]) => on.length !== 1)
    .map(([name, on]) => `${name} is led by ${on.join() || 'nobody'}`)
  return leaders.has('scheduler') ? faults : [...faults, 'nobody knows of a leader of the scheduler']
}

/** Each acknowledged number is there, once, and whose it was; and so is what the stateful service has answered for. */
export async function missing(field: Field, { written, kept }: Tally): Promise<readonly string[]> {
  const owner = new Owner(field.gateway(field.oods.at(-1)!), field.password)
  const faults: string[] = []
  const found = new Map<number, string>()
  for (const name of await answered(() => owner.list(ENTRIES))) {
    const [number = '', host = ''] = name.split('-')
    if (found.has(Number(number))) faults.push(`number ${number} was given twice`)
    found.set(Number(number), host)
  }
  const count = Number((await answered(() => owner.get(COUNT)))?.value)
  if (found.size !== count) faults.push(`the counter says ${count}, and there are ${found.size} entries`)
  for (const [number, host] of written) {
    if (found.get(number) === host) continue
    faults.push(`number ${number} was acknowledged by ${host}, and is ${found.get(number) ?? 'missing'}`)
  }
  const info = await answered(() => owner.get('services/ledger/info'))
  const { hosts: [home = ''] } = JSON.parse(info!.value) as Info
  const text = await answered(() => field.local(home, 'ledger').get('/all'))
  const numbers = text.split('\n').filter(Boolean).map(Number)
  const lost = [...kept].filter((number) => !numbers.includes(number))
  if (lost.length > 0) faults.push(`the ledger has lost ${lost.length} numbers: ${lost.slice(0, 5).join()}`)
  return faults
}

