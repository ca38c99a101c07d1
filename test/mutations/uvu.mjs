/**
 * uvu as judges have it: it takes `details` of any error for text, and ends without a word where it is not, as with our
 * errors. A test that fails by one of them would have judged nothing.
 */
import * as uvu from 'uvu'

const plain = handler => async context => {
  try {
    await handler(context)
  } catch (error) {
    const isPlain = error instanceof Error && ['string', 'undefined'].includes(typeof error.details)
    throw isPlain ? error : new Error(String(error), { cause: error })
  }
}

const plainly = test => Object.assign((name, handler) => test(name, plain(handler)), test)

export const suite = (name, state) => plainly(uvu.suite(name, state))
export const test = plainly(uvu.test)
