export type Contenders<Name extends string> = Readonly<Record<Name, () => Promise<number>>>

/** Median of each over so many rounds, taking turns after one round that does not count. */
export async function interleaved<Name extends string>(
  rounds: number, contenders: Contenders<Name>,
): Promise<Record<Name, number>> {
  const samples = new Map<Name, number[]>()
  for (let round = 0; round <= rounds; round++) {
    for (const name of Object.keys(contenders) as Name[]) {
      const sample = await contenders[name]()
      if (round > 0) samples.set(name, [...samples.get(name) ?? [], sample])
    }
  }
  return Object.fromEntries([...samples].map(([name, each]) => [name, median(each)])) as Record<Name, number>
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
