/** Unary calls by gRPC over mutual TLS, with the same payload as JSON: no schema is compiled, no field is checked. */
import * as grpc from '@grpc/grpc-js'
import { text } from '../link/payload.ts'
import { HERE, type Call, type Setup } from './setup.ts'

interface Payload { readonly text: string; readonly n: number }
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()]
const write = (value: Payload): Buffer => Buffer.from(encoder.encode(JSON.stringify(value)))
const read = (bytes: Buffer): Payload => JSON.parse(decoder.decode(bytes)) as Payload
const definition = {
  echo: {
    path: '/bench.Echo/echo', requestStream: false, responseStream: false,
    requestSerialize: write, requestDeserialize: read, responseSerialize: write, responseDeserialize: read,
  },
} as const

export async function serveGrpc({ root, server: pair }: Setup): Promise<number> {
  const server = new grpc.Server()
  server.addService(definition, {
    echo: (call: grpc.ServerUnaryCall<Payload, Payload>, done: grpc.sendUnaryData<Payload>) =>
      done(null, { text: call.request.text, n: call.request.n }),
  })
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(root), [{ private_key: Buffer.from(pair.key), cert_chain: Buffer.from(pair.certificate) }], true,
  )
  return new Promise((resolve, reject) => server.bindAsync(`${HERE}:0`, credentials, (error, port) =>
    (error ? reject(error) : resolve(port))))
}

export async function dialGrpc({ root, client: pair }: Setup, port: number): Promise<Call> {
  const Client = grpc.makeGenericClientConstructor(definition, 'Echo')
  const credentials = grpc.credentials.createSsl(
    Buffer.from(root), Buffer.from(pair.key), Buffer.from(pair.certificate),
  )
  // A name: an address cannot be one that TLS asks for
  const options = { 'grpc.ssl_target_name_override': 'localhost' }
  const client = new Client(`${HERE}:${port}`, credentials, options) as unknown as {
    echo(payload: Payload, options: grpc.CallOptions, done: (error: Error | null, answer?: Payload) => void): void
  }
  return (n) => new Promise((resolve, reject) => client.echo({ text, n }, { deadline: Date.now() + 15_000 },
    (error, answer) => (error ? reject(error) : resolve(answer!))))
}
