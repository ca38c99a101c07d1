import { nullable } from 'valibot'
import { Migration, MigrationPlan } from '../../runtime/migration.ts'
import { shapeOf } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

/** The moves of a running zone's stores, as its node daemon tells of them. */

export const beginMigration = async (client: ZoneClient): Promise<Migration> =>
  shapeOf(Migration, await client.call('node-daemon', 'migrate', {}), 'how the move begins')

/** Null where nothing was ever moved. */
export const readMigration = async (client: ZoneClient): Promise<Migration | null> =>
  shapeOf(nullable(Migration), await client.call('node-daemon', 'migration', {}), 'how far the move is')

export const planOf = async (client: ZoneClient): Promise<MigrationPlan> =>
  shapeOf(MigrationPlan, await client.call('node-daemon', 'migration_plan', {}), 'what a move would do')
