/** The value of a file's contents; undefined where they are no JSON, for a schema to refuse. */
export function parseJson(contents: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(contents))
  } catch {
    return undefined
  }
}
