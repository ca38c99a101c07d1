import { InvalidArgument } from '../../runtime/errors.ts'

/** What decides: a casbin model, and the lines that the policy adds to the built-in ones. */
export interface Rules {
  /** Text of a casbin model; empty for the built-in one. */
  readonly model: string
  readonly policy: string
}

/** @throws InvalidArgument */
export function checkModel(model: string): void {
  if (model.trim() !== '') throw new InvalidArgument('The model is not the built-in one')
}
