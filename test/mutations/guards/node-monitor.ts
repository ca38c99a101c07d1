/** When a host is said to be up. */
import { guardsOf, type Guard } from '../guard.ts'

export const nodeMonitor: readonly Guard[] = [
  ...guardsOf('actors/node-monitor/liveness.ts', 'test/actors/node-monitor.test.ts',
    [
      'one report makes nobody up again', 'if (first || node.inTime >= limits.nodeReportsUp)', 'if (true)',
      'a host that was missed is up after as many reports in time as the limit, and not by one',
    ],
    [
      'the same report is told once', 'if (!isNew) return', '',
      'what was written before the watch began says nothing of who lives, and the same report is told once',
    ],
    [
      'who hears nothing calls nobody silent', 'if (this.#deafSince !== undefined) return\n    for', 'for',
      'while the watch hears nothing nobody grows silent, and then each has the time that it had',
    ],
    [
      'so many hosts are watched', 'if (this.#nodes.size >= limits.nodesWatched && !this.#nodes.has(name)) left++',
      'if (false) left++',
      'hosts come and go, and as many are watched as the limit',
    ],
  ),
  ...guardsOf('actors/node-monitor/actor.ts', 'test/actors/node-monitor.test.ts',
    [
      'who asks for hosts may',
      "nodes: method(object({}), async (_, cx: Cx) => {\n      (await enforcer()).demand(cx, 'read', NODES)",
      'nodes: method(object({}), async (_, cx: Cx) => {',
      'a zone that nobody watches has no reports, and who may not ask is told nothing',
    ],
  ),
]
