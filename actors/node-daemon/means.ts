import { StartFailed } from '../../runtime/errors.ts'
import { Labels, readRecord, Resources } from '../records.ts'

/** What the config of a host says of it, as far as that is nothing its machine can tell. */
export interface Means {
  readonly labels?: Labels
  readonly capacity?: Resources
}

const LABELS = 'ZONEWRIGHT_LABELS'
const CAPACITY = 'ZONEWRIGHT_CAPACITY'

/** For the ENV of the node daemon. */
export function meansEnv({ labels = {}, capacity = {} }: Means): Readonly<Record<string, string>> {
  return {
    ...(Object.keys(labels).length === 0 ? {} : { [LABELS]: JSON.stringify(labels) }),
    ...(Object.keys(capacity).length === 0 ? {} : { [CAPACITY]: JSON.stringify(capacity) }),
  }
}

/** @throws StartFailed */
export function meansIn(env: Readonly<Record<string, string>>): Means {
  const [labels, capacity] = [env[LABELS], env[CAPACITY]]
  try {
    return {
      ...(labels === undefined ? {} : { labels: readRecord(Labels, LABELS, labels) }),
      ...(capacity === undefined ? {} : { capacity: readRecord(Resources, CAPACITY, capacity) }),
    }
  } catch (error) {
    throw new StartFailed(`The ENV of the node daemon is not right: ${(error as Error).message}`)
  }
}
