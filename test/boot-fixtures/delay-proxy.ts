/** A program: hands a TCP port on to another, each way some milliseconds later, as a far line would. */
import { connect, createServer, type Socket } from 'node:net'
import process from 'node:process'

const [hostname = '', port = '', to = '', toPort = '', ms = ''] = process.argv.slice(2)

function hand(from: Socket, on: Socket): void {
  from.on('data', (chunk) => void setTimeout(() => on.writable && on.write(chunk), Number(ms)))
  from.on('end', () => void setTimeout(() => on.end(), Number(ms)))
  from.on('error', () => void setTimeout(() => on.destroy(), Number(ms)))
}

createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ host: to, port: Number(toPort), allowHalfOpen: true })
  hand(client, server)
  hand(server, client)
}).listen(Number(port), hostname, () => console.log('listening'))
