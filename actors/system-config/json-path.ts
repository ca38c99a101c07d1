import { limits } from '../../runtime/limits.ts'
import { InvalidPath } from './protocol.ts'

type JsonObject = Record<string, unknown>

/** Setting one of these reaches what every object shares. */
const REFUSED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Sets what is at each path of a JSON object and returns its new text; null deletes. Objects on the way are made; only
 * objects are walked. Paths apply in the order they are given.
 *
 * @throws InvalidPath
 */
export function setByPath(text: string, assignments: readonly (readonly [path: string, value: unknown])[]): string {
  const root = parseRoot(text)
  for (const [path, value] of assignments) {
    const segments = parsePath(path)
    const last = segments.pop()!
    const parent = value === null ? findObject(root, segments, path) : makeObject(root, segments, path)
    if (value !== null) parent![last] = value
    else if (parent) delete parent[last]
  }
  return JSON.stringify(root)
}

function parseRoot(text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InvalidPath('The value of the key is not JSON')
  }
  if (!isObject(value)) throw new InvalidPath('The value of the key is not a JSON object')
  return value
}

function parsePath(path: string): string[] {
  const [root, ...segments] = path.split('/')
  if (root !== '' || segments.length === 0) throw new InvalidPath(`A JSON path starts with a slash: ${shown(path)}`)
  if (segments.length > limits.jsonPathSegments) {
    throw new InvalidPath(`A JSON path has at most ${limits.jsonPathSegments} segments: ${segments.length}`)
  }
  for (const segment of segments) {
    if (segment === '') throw new InvalidPath(`The JSON path has an empty segment: ${shown(path)}`)
    if (REFUSED.has(segment)) throw new InvalidPath(`The JSON path has a reserved segment: ${shown(path)}`)
  }
  return segments
}

function makeObject(root: JsonObject, segments: readonly string[], path: string): JsonObject {
  let at = root
  for (const segment of segments) {
    if (!Object.hasOwn(at, segment)) at[segment] = {}
    at = objectAt(at, segment, path)
  }
  return at
}

function findObject(root: JsonObject, segments: readonly string[], path: string): JsonObject | undefined {
  let at = root
  for (const segment of segments) {
    if (!Object.hasOwn(at, segment)) return undefined
    at = objectAt(at, segment, path)
  }
  return at
}

function objectAt(parent: JsonObject, segment: string, path: string): JsonObject {
  const value = parent[segment]
  if (!isObject(value)) throw new InvalidPath(`The JSON path goes through what is no object: ${shown(path)}`)
  return value
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const shown = (path: string): string => JSON.stringify(path.slice(0, 80))
