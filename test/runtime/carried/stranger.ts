import { deskOf } from './desk-of.ts'
import { Stranger, type Desk } from './protocols.ts'

export default deskOf(Stranger as unknown as typeof Desk)
