/** A program on a test host: Unix sockets, which know of no network, that lead to ports of its loopback. */
import { connect, createServer } from 'node:net'
import process from 'node:process'

const args = process.argv.slice(2)
let waiting = args.length / 2
for (let index = 0; index < args.length; index += 2) {
  const [path = '', port = ''] = args.slice(index)
  createServer((client) => {
    const server = connect(Number(port), '127.0.0.1')
    client.on('error', () => server.destroy()).pipe(server)
    server.on('error', () => client.destroy()).pipe(client)
  }).listen(path, () => {
    if (--waiting === 0) console.log('listening')
  })
}
