/** The part of the Transport port that is about datagrams and connections of another kind than HTTP. */

/** Where they are taken. */
export interface SocketServer {
  readonly port: number
  /** Takes no more, and cuts what is under way. */
  close(): Promise<void>
}

export interface Sockets {
  /**
   * UDP: what `answer` gives for a datagram goes back to its sender; undefined is silence. One that throws is dropped.
   * @throws PortInUse, as `serveHttp`
   */
  serveDatagrams(
    options: { hostname: string; port: number },
    answer: (datagram: Uint8Array, from: string) => Uint8Array | undefined,
  ): Promise<SocketServer>
  /**
   * TCP: `converse` reads what comes of one connection and gives what is to be sent; when it ends, the connection does.
   * One more connection than `connectionsMax` is closed, as is one that brings, or takes, nothing for `idleMs`.
   * @throws PortInUse, as `serveHttp`
   */
  serveStreams(
    options: { hostname: string; port: number; connectionsMax: number; idleMs: number },
    converse: (pieces: AsyncIterable<Uint8Array>, from: string) => AsyncIterable<Uint8Array>,
  ): Promise<SocketServer>
}
