/** The simulation's randomness is everybody's; it stands where control can reach it as well. */
export { Random } from '../random.ts';
