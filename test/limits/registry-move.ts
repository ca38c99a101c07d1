import type { Coverage } from './registry-verify-hub.ts'

/** Those of the move of a store; see `registry.ts`. */
export const ofMoves: Coverage = {
  'limits/move.test.ts': {
    'a transaction copies as many entries and bytes as the limits, and as many are under way': [
      'moveOperations', 'moveBytes', 'moveInFlight',
    ],
    'as many keys as the limit may be behind, one more and the move is outrun': ['moveBehind'],
    'what is written follows for so many rounds, and after the first of them writes wait for each': [
      'moveRounds', 'moveFreeRounds',
    ],
    'the lock of a mover that is silent keeps others out as long as the limit': ['moveLockMs'],
    'writes wait no longer than the limit, as often as the limit, with pauses that grow; then it is given up': [
      'moveFenceMs', 'moveFences', 'moveFencePauseMs', 'moveFencePauseMsMax',
    ],
    'a move waits for an etcd that went away as long as the limit': ['moveWaitMs'],
    'how far it is is told at each phase, and once in so many milliseconds within one': ['moveTellMs'],
    'the store of an actor whose worker ends is begun with as often as the limit, and so much later': [
      'moveAttempts', 'moveAttemptMs',
    ],
    'as many rows as the limit are remembered, and as many keys as the limit read at once': [
      'movedRows', 'movedRowsAtOnce',
    ],
  },
}
