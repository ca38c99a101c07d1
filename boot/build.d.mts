/** Types of build.mjs, which is plain JavaScript because it runs before anything is built. */
export interface BuildOptions {
  /** What to build beside the product. */
  readonly sets?: readonly ('tests' | 'bench')[]
  readonly fresh?: boolean
  /** A folder of dist/ for a build of its own. */
  readonly into?: string
  /** Sources that stand in for others in such a build. */
  readonly replace?: Readonly<Record<string, string>>
}
export function build(options?: BuildOptions): Promise<{ entries: number; ms: number }>
export function outdated(): boolean
