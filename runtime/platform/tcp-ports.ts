/** TCP (RFC 9293) as bytes both ways: of the Transport port, for programs that this project does not speak for. */

export interface TcpConnection {
  readonly remoteAddress: string
  /** Never throws and never waits; after `end` or `close` it does nothing. */
  send(bytes: Uint8Array): void
  /** No more is sent: what was is passed on first. The peer may still send. */
  end(): void
  /** Bytes that were sent and that this machine has not passed on: who may wait, waits while there are many. */
  readonly unsent: number
  /** While it is held nothing is read, and soon the peer cannot send. */
  hold(held: boolean): void
  /** Called once. What came before waits for it. */
  receive(listener: {
    onBytes(bytes: Uint8Array): void
    /** The peer sends no more. */
    onEnd(): void
    /** Once, and nothing follows it. `reason` is undefined when both ends had sent all that they wanted. */
    onClose(reason: string | undefined): void
    /** `unsent` has come to nothing after so much was sent that it did not leave at once. */
    onDrained(): void
  }): void
  /** Cuts it: the peer sees a reset. */
  close(reason: string): void
}

export interface Tcp {
  /** @throws Unavailable, DeadlineExceeded, Cancelled */
  connect(target: {
    readonly hostname: string; readonly port: number; readonly withinMs: number; readonly signal?: AbortSignal
  }): Promise<TcpConnection>
  /**
   * `accept` must not throw. One more than `connectionsMax` is closed. Of a Unix socket the port is 0.
   * @throws PortInUse, AddressNotLocal
   */
  listen(
    options: {
      readonly hostname: string; readonly port: number; readonly connectionsMax: number
      /** Absolute path of a Unix socket, in place of `hostname` and `port`: for this user alone (0600). */
      readonly socket?: string
    },
    accept: (connection: TcpConnection) => void,
  ): Promise<{ readonly port: number; close(): Promise<void> }>
}
