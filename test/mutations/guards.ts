export const guards: never[] = []
