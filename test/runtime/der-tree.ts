/** DER as a tree that can be changed anywhere and written again with lengths that are right. */
export interface DerNode {
  tag: number
  /** What it holds: others, or bytes. An OCTET STRING whose bytes are DER holds those. */
  children?: DerNode[]
  bytes: Uint8Array
}

export function treeOf(der: Uint8Array): DerNode {
  const [node, ...rest] = nodesOf(der) ?? []
  if (!node || rest.length > 0) throw new Error('It is not one value')
  return node
}

function nodesOf(der: Uint8Array): DerNode[] | undefined {
  const nodes: DerNode[] = []
  for (let at = 0; at < der.length;) {
    const tag = der[at]!
    let length = der[at + 1] ?? 0
    let start = at + 2
    if (length > 0x80) {
      const digits = length & 0x7f
      length = der.subarray(start, start + digits).reduce((sum, byte) => sum * 256 + byte, 0)
      start += digits
    } else if (length === 0x80) return undefined
    if (start + length > der.length) return undefined
    const bytes = der.subarray(start, start + length)
    const inside = tag & 0x20 || (tag === 0x04 && length > 1) ? nodesOf(bytes) : undefined
    nodes.push({ tag, bytes, ...(inside && (tag & 0x20 || inside.length === 1) ? { children: inside } : {}) })
    at = start + length
  }
  return nodes
}

export function bytesOf({ tag, children, bytes }: DerNode): Uint8Array {
  const inside = children ? Buffer.concat(children.map(bytesOf)) : bytes
  const digits: number[] = []
  if (inside.length >= 0x80) for (let left = inside.length; left > 0; left >>>= 8) digits.unshift(left & 0xff)
  const length = digits.length === 0 ? [inside.length] : [0x80 | digits.length, ...digits]
  return Buffer.concat([Uint8Array.from([tag, ...length]), inside])
}

export const allNodes = (node: DerNode): DerNode[] => [node, ...(node.children ?? []).flatMap(allNodes)]

/** The node at `path`: numbers of children, from the root. */
export const nodeAt = (root: DerNode, ...path: readonly number[]): DerNode =>
  path.reduce((node, number) => {
    const child = node.children?.at(number)
    if (!child) throw new Error(`There is no child ${number}`)
    return child
  }, root)

/** A copy of `der` with one node changed. */
export function changed(der: Uint8Array, path: readonly number[], change: (node: DerNode) => void): Uint8Array {
  const root = treeOf(der.slice())
  change(nodeAt(root, ...path))
  return Uint8Array.from(bytesOf(root))
}
