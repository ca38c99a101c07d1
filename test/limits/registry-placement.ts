/** Those of where services run; see `registry.ts`. */
export const placement: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'actors/fence.test.ts': {
    'a host that cannot read stops after its limit from when it last asked and was answered, and again': [
      'hostConfirmMs', 'hostFenceMs',
    ],
    'a host is silent for long after its limit without a break, by one clock, and what most are is none': [
      'hostLostMs',
    ],
  },
  'limits/placement.test.ts': {
    'a host and a service have as many labels as the limit, and no more': ['labels'],
  },
}
