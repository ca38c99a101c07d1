import { commitNumber } from '../commit.ts'

/** How many commits it takes, about, until each guard was taken out once. */
const shares = 32

/** The share of this commit: every so many, so that each share has as much of the slow judges as the others. */
export const shareOf = <T>(all: readonly T[], of = shares, number = commitNumber()): readonly T[] =>
  all.filter((_, index) => index % of === number % of)
