import { limits } from '../../runtime/limits.ts'

/**
 * Decides which series of a metric are shown: the first `limits.metricSeries`. What more there would be is counted,
 * so that an actor that makes up names costs neither this process nor who reads the metrics.
 */
export interface SeriesLimit {
  admits(metric: string, labels: readonly string[]): boolean
  /** Samples that were not shown. */
  readonly refused: number
}

export function createSeriesLimit(): SeriesLimit {
  const known = new Map<string, Set<string>>()
  let refused = 0
  return {
    admits(metric, labels) {
      let series = known.get(metric)
      if (!series) known.set(metric, series = new Set())
      const key = JSON.stringify(labels)
      if (series.has(key)) return true
      if (series.size >= limits.metricSeries) {
        refused++
        return false
      }
      series.add(key)
      return true
    },
    get refused() {
      return refused
    },
  }
}

/** Counters that start from nothing with each incarnation, added up so that none goes backwards. */
export interface Totals {
  /** What to add to the sum, given the counter's value in this incarnation. */
  growth(key: string, incarnation: number, value: number): number
}

export function createTotals(): Totals {
  const last = new Map<string, { readonly incarnation: number; readonly value: number }>()
  return {
    growth(key, incarnation, value) {
      const known = last.get(key)
      // An answer of an incarnation that is gone may come late
      if (known && incarnation < known.incarnation) return 0
      const before = known?.incarnation === incarnation ? known.value : 0
      if (value < before) return 0
      last.set(key, { incarnation, value })
      return value - before
    },
  }
}
