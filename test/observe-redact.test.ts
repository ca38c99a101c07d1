/** What must not be told is taken out of text, however it stands there, and what may be told stays. */
import { Buffer } from 'node:buffer'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { createRedactor, REDACTED } from '../runtime/redact.ts'
import { signToken } from '../runtime/trust/token.ts'

const test = suite('redaction')
const { keys, random } = await openPlatform()
const key = keys.generate(random)
const token = signToken(key, {
  iss: 'ood1', sub: 'ood1', aud: ['x'], iat: 1, exp: 2, jti: 'j', token_use: 'session', appid: 'a',
  runtime_type: 'ood', epoch: 0,
})

test('tokens and private keys go by their form, whole or cut', () => {
  const { text } = createRedactor()
  const pem = key.exportPem()
  const body = pem.split('\n').slice(1, -2).join('')
  const gone = [
    token, token.slice(0, -30), token.slice(0, 40), pem, pem.replaceAll('\n', '\\n'), pem.slice(0, 60),
    key.exportPem('passphrase'), body, '{"kty":"OKP","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
    'Authorization: Bearer abcdefghijklmnop',
    'authorization: Basic dXNlcjpwYXNz', 'password=hunter2secret', '{"refresh_token":"hunter2secret"}',
    'https://u:hunter2secret@h/',
    'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ',
    'the token hvs.QQQQabcdefghijklmnopqrstuvwxyz012345 was shown',
  ]
  for (const secret of gone) {
    const left = text(`before ${secret} after`)
    assert.ok(left.includes(REDACTED) && left.startsWith('before'), left)
    assert.not.match(left, /hunter2|nWGxne|dXNlcj|QQQQ|abcdefghijkl|MC4CAQ|eyJ/)
    assert.not(left.includes(body.slice(-20)), left)
  }
})

test('what people need to read stays', () => {
  const { text, data } = createRedactor()
  const kept = [
    'The password is wrong', 'token/expired', 'Denied: No token is bound to this number', key.public.kid, 'D-0badcafe',
    'kid nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'http://127.0.0.1:8080/path?x=1',
    'sid s_0123456789abcdef0123456789abcdef',
    'services/eye.example/spec changed', '2 tokens were refused', 'system-config/normal/session',
  ]
  for (const line of kept) assert.is(text(line), line)
  const fields = { tokens: 5, revision: 7, ok: true, none: null, path: 'a/b', list: [1, 'two'] }
  assert.equal(data(fields), fields)
})

test('a value that was told goes in every spelling, also what is left of it when it was cut', () => {
  const { conceal, text, data } = createRedactor()
  const secret = 'Zk3/nV+pQ "quoted" 7tLrWmXy0123456789'
  for (const value of [secret, 'pass word', 'p"w', 'abcd']) conceal(value)
  for (const spelled of [
    secret, JSON.stringify(secret), encodeURIComponent(secret), Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    secret.slice(0, 20), secret.slice(10),
  ]) {
    const left = text(`x ${spelled} y`)
    assert.not(/7tLrWmXy|quoted|WmszL25W/.test(left) && !left.includes(REDACTED), `${spelled}: ${left}`)
  }
  assert.is(text(`it is ${secret}!`).includes('7tLrWmXy'), false)
  assert.is(text('pass word, abcd'), `${REDACTED}, ${REDACTED}`)
  assert.is(text('p"w'), 'p"w', 'too short to be told from other text')
  assert.equal(data({ a: [{ b: new Error('pass word') }], 'pass word': 1, password: 'open' }), {
    a: [{ b: `Error: ${REDACTED}` }], [REDACTED]: 1, password: REDACTED,
  })
})

test('a key file goes line by line, as bytes and in hexadecimal', () => {
  const { conceal, text } = createRedactor()
  const unseal = Buffer.from(random.bytes(32))
  conceal(`${unseal.toString('base64url')}\n`)
  for (const encoding of ['base64url', 'base64', 'hex'] as const) {
    const left = text(`<${unseal.toString(encoding)}>`)
    assert.ok(left.includes(REDACTED), left)
    assert.not(left.includes(unseal.toString(encoding).slice(-12)), left)
  }
})

test('deep, wide, long and circular data costs little and throws nothing', () => {
  const { text, data } = createRedactor()
  const circle: Record<string, unknown> = { big: 10n, bytes: new Uint8Array(5), f: () => 1, nan: Number.NaN }
  circle['self'] = circle
  assert.ok(JSON.stringify(data(circle)).length < 2_000)
  assert.is((data(Array.from({ length: 100_000 }, () => 'x')) as unknown[]).length, 256)
  const began = performance.now()
  const nasty = [
    'ew', 'eyJ', 'a.', 'a://', '-----BEGIN ', 'token', '"d":"', 'Bearer ', 'password', '-----BEGIN PRIVATE KEY-----',
    'a=', '"password":"',
  ]
  for (const part of nasty) text(part.repeat(1_000_000 / part.length))
  assert.ok(performance.now() - began < 5_000, `${performance.now() - began} ms`)
})

test('what is cut leaves no part of a token at its end', () => {
  const left = createRedactor().text(`${'x '.repeat(32_760)}${token}`)
  assert.not.match(left, /eyJ/)
})

test('of more values than allowed the oldest is forgotten', () => {
  const { conceal, text } = createRedactor()
  for (let index = 0; index <= limits.concealed; index++) conceal(`value number ${index}.`)
  assert.is(text('value number 0.'), 'value number 0.')
  assert.is(text(`value number ${limits.concealed}.`), REDACTED)
})

test.run()
