import type { BadInput } from './bad-inputs.ts'

/** Modules in the place of an actor's; together in one folder, so those that fail late come last. */
export const brokenModules: readonly (Omit<BadInput, 'spoil' | 'actors'> & { actor: string; module: URL })[] = [
  {
    name: 'throws when it is imported',
    actor: 'service',
    module: new URL('./throws-at-import.ts', import.meta.url),
    code: 'StartFailed',
    exit: 11,
    message: /service did not load: This module cannot be imported/,
    next: /--debug/,
  },
  {
    name: 'has no actor in it',
    actor: 'gateway',
    module: new URL('./variants.ts', import.meta.url),
    code: 'StartFailed',
    exit: 11,
    message: /gateway did not load: The module has no actor as its default export/,
    next: /--debug/,
  },
  {
    name: 'is not there',
    actor: 'vault',
    module: new URL('./no-such-module.js', import.meta.url),
    code: 'StartFailed',
    exit: 11,
    message: /vault did not load: .*no-such-module/,
    next: /--debug/,
  },
  {
    name: 'holds a forged boot token',
    actor: 'boot-scheduler',
    module: new URL('./boot-scheduler-with-forged-token.ts', import.meta.url),
    code: 'Denied',
    exit: 14,
    message: /key that this verifier does not know/,
    next: /./,
  },
  {
    name: 'throws as it starts',
    actor: 'service',
    module: new URL('./service-throws-at-start.ts', import.meta.url),
    code: 'StartFailed',
    exit: 11,
    message: /service did not start: Cannot read properties of this test/,
    next: /--debug/,
  },
]
