import { deskOf } from './desk-of.ts'
import { Desk } from './protocols.ts'

export default deskOf(Desk)
