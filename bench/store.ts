/**
 * `kv://` against etcd by etcd3: durable puts, gets, and one writer with a thousand watchers. Both sides work on the
 * same machine in the same run, in turn, with keys and values of the same sizes, and medians are compared. Durability:
 * etcd syncs its log before it answers a put, and so does our store; each makes one sync for all puts that wait.
 */
import { durableAppends, inStore } from './store/alone.ts'
import { inEtcd, type EtcdSide } from './store/etcd.ts'
import type { FanOut, Side } from './store/side.ts'
import { inZone, type ZoneSide } from './store/zone.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 5
const IN_FLIGHT = 64
const PUT_RATIO_MIN = 1
const GET_RATIO_MIN = 20
const WATCHERS = 1_000
const WATCH_RATIO_MIN = 1
/** Writes one after the other, in each of which every watcher has a part. */
const FAN_WRITES = 100
/** Single writes, each seen by all before the next. */
const LONE_WRITES = 20

const bench: Bench = ({ seconds, say }) => inStore((alone) => inEtcd((etcd) => inZone(async (zone) => {
  const ms = seconds * 1_000 / ROUNDS
  await Promise.all([alone, etcd, zone].map((side) => side.fill()))
  return [...await callRows(alone, etcd, zone, ms, say), ...await watchRows(etcd, zone, say)]
})))
export default bench

type Say = (line: string) => void

async function callRows(alone: Side, etcd: EtcdSide, zone: ZoneSide, ms: number, say: Say): Promise<readonly Row[]> {
  const unit = 'calls/s'
  const [inFlight, perSecond] = [IN_FLIGHT, 'per s']
  const rates = await interleaved(ROUNDS, {
    appends: () => durableAppends(ms),
    alonePut: () => alone.put(IN_FLIGHT, ms),
    etcdPut: () => etcd.put(IN_FLIGHT, ms),
    kvPut: () => zone.put(IN_FLIGHT, ms),
    aloneGet: () => alone.get(IN_FLIGHT, ms),
    etcdGet: () => etcd.get(IN_FLIGHT, ms),
    etcdStale: () => etcd.serializableGet(IN_FLIGHT, ms),
    kvGet: () => zone.get(IN_FLIGHT, ms),
  })
  say(`puts: etcd ${thousands(rates.etcdPut)}, kv ${thousands(rates.kvPut)}; `
    + `gets: etcd ${thousands(rates.etcdGet)}, kv ${thousands(rates.kvGet)}`)
  return [
    { name: 'synced appends of 400 B to a file', value: rates.appends, unit: perSecond },
    { name: 'store alone, put', inFlight, value: rates.alonePut, unit },
    { name: 'etcd put by etcd3, log synced', inFlight, value: rates.etcdPut, unit },
    {
      name: 'kv put, log synced, against etcd', inFlight, value: rates.kvPut, unit,
      ratio: rates.kvPut / rates.etcdPut, target: PUT_RATIO_MIN,
    },
    { name: 'store alone, get', inFlight, value: rates.aloneGet, unit },
    { name: 'etcd get by etcd3, serializable', inFlight, value: rates.etcdStale, unit },
    { name: 'etcd get by etcd3', inFlight, value: rates.etcdGet, unit },
    {
      name: 'kv get, against etcd', inFlight, value: rates.kvGet, unit,
      ratio: rates.kvGet / rates.etcdGet, target: GET_RATIO_MIN,
    },
  ]
}

async function watchRows(etcd: EtcdSide, zone: ZoneSide, say: Say): Promise<readonly Row[]> {
  const fans = {
    etcd: await etcd.fanOut(WATCHERS), one: await zone.fanOut(WATCHERS, 1), four: await zone.fanOut(WATCHERS, 4),
  }
  const rate = (fan: FanOut) => async (): Promise<number> => {
    const began = performance.now()
    await fan(FAN_WRITES)
    return FAN_WRITES * WATCHERS / (performance.now() - began) * 1_000
  }
  const lone = (fan: FanOut) => async (): Promise<number> => {
    const began = performance.now()
    for (let write = 0; write < LONE_WRITES; write++) await fan(1)
    return (performance.now() - began) / LONE_WRITES
  }
  const rates = await interleaved(ROUNDS, { etcd: rate(fans.etcd), one: rate(fans.one), four: rate(fans.four) })
  const waits = await interleaved(ROUNDS, { etcd: lone(fans.etcd), one: lone(fans.one), four: lone(fans.four) })
  say(`${WATCHERS} watchers: etcd ${thousands(rates.etcd)} events/s, `
    + `kv ${thousands(rates.one)} on one link, ${thousands(rates.four)} on four`)
  const row = (name: string, of: 'one' | 'four'): Row => ({
    name: `kv ${name}, against etcd`, value: rates[of], unit: 'events/s',
    ratio: rates[of] / rates.etcd, target: WATCH_RATIO_MIN,
  })
  return [
    { name: `etcd by etcd3, ${WATCHERS} watchers`, value: rates.etcd, unit: 'events/s' },
    row(`${WATCHERS} watchers on one link`, 'one'),
    row(`${WATCHERS} watchers on four links`, 'four'),
    { name: 'etcd: a lone write until all have seen it', value: waits.etcd, unit: 'ms' },
    { name: 'kv, one link: the same', value: waits.one, unit: 'ms', ratio: waits.one / waits.etcd },
    { name: 'kv, four links: the same', value: waits.four, unit: 'ms', ratio: waits.four / waits.etcd },
  ]
}

const thousands = (rate: number): string => `${(rate / 1_000).toFixed(1)} k/s`
