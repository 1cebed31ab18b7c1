/** Joints of the legs, in the order in which the wire has them; all turn about +y, see PROTOCOL.md §1. */
export const legJoints = ['hipLeft', 'kneeLeft', 'hipRight', 'kneeRight'] as const;
export const wheelJoints = ['wheelLeft', 'wheelRight'] as const;
/** Every joint that has a drive; the order of rows and of the observer. */
export const jointNames = [...legJoints, ...wheelJoints] as const;
export type JointName = (typeof jointNames)[number];

/** One number for each leg joint, in the order of `legJoints`. */
export type LegVector = readonly [number, number, number, number];

export const isWheel = (name: JointName): boolean => (wheelJoints as readonly JointName[]).includes(name);
