import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nextShared } from '../../actors/enrolment/next-shared.ts'

/** Looks that end when they are told to, each with the number of its beginning. */
function looks() {
  const open: { readonly end: () => void; readonly fail: (error: Error) => void }[] = []
  let begun = 0
  const look = nextShared(() => {
    const number = ++begun
    return new Promise<number>((resolve, reject) => open.push({ end: () => resolve(number), fail: reject }))
  })
  return { look, open, begun: () => begun }
}
const turn = () => new Promise((resolve) => setTimeout(resolve))

test('who asks while a look is under way gets the next one, which begins after it and is shared', async () => {
  const { look, open, begun } = looks()
  const first = look()
  const [second, third] = [look(), look()]
  await turn()
  assert.is(begun(), 1)
  open[0]!.end()
  await turn()
  assert.is(begun(), 2)
  const fourth = look()
  open[1]!.end()
  await turn()
  open[2]!.end()
  assert.equal(await Promise.all([first, second, third, fourth]), [1, 2, 2, 3])
  const fifth = look()
  open[3]!.end()
  assert.is(await fifth, 4, 'and when none is under way, one of its own, at once')
})

test('a look that fails fails those that share it, and no other', async () => {
  const { look, open } = looks()
  const first = look()
  const [second, third] = [look(), look()]
  const failed: string[] = []
  for (const each of [first, second, third]) each.catch((error: Error) => failed.push(error.message))
  open[0]!.fail(new Error('the first'))
  await turn()
  assert.equal(failed, ['the first'])
  open[1]!.fail(new Error('the second'))
  await turn()
  assert.equal(failed, ['the first', 'the second', 'the second'])
  const last = look()
  open[2]!.end()
  assert.is(await last, 3)
})

test.run()
