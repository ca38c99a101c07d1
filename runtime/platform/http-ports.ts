/** PEM: the certificate with those between it and the root, and its private key. */
export interface HttpTls {
  readonly certificate: string
  readonly key: string
}

export interface HttpServerOptions {
  readonly hostname: string
  readonly port: number
  readonly bodyBytesMax: number
  readonly requestMsMax: number
  readonly tls?: HttpTls
  /** Takes the method LIST, which no HTTP parser knows. */
  readonly lists?: boolean
  /** What it says itself where no handler could answer, default `{error, code}`. */
  readonly faultBody?: (error: string, code: string) => object
}
