/** Types of entry-build.mjs. */
/** A text of a source, which must be there exactly once, and what stands there instead. */
export interface Change {
  /** Path from the root, with slashes. */
  readonly path: string
  readonly from: string
  readonly to: string
}
export interface EntryBuild {
  /**
   * Builds into `dist/<into>/`, one build at a time; the module is there under its own path.
   * @throws with `errors` when the text is not there once, or nothing that was built loads that source
   */
  build(into: string, change?: Change): Promise<void>
  close(): Promise<void>
}
export function openEntry(entry: string): Promise<EntryBuild>
