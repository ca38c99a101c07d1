import { Right } from './protocol.ts'
import { speaker } from './speak.ts'

export default speaker(Right)
