/** What a receiver met on its line. Health of a link is made of these; each bad frame is counted under exactly one. */
export interface LinkCounters {
  /** frames handed on */
  accepted: number;
  /** frames that never came: the sum of the gaps in the sequences of accepted frames */
  lost: number;
  /** frames longer than any message; the bytes up to the next 0x00 were dropped unread */
  oversized: number;
  /** frames whose COBS blocks do not add up: a block runs past the end of the frame */
  malformed: number;
  /** frames too short for a header and a CRC */
  truncated: number;
  /** frames whose CRC did not match */
  corrupted: number;
  /** intact frames of a type that this version of the protocol does not have */
  unknownType: number;
  /** intact frames of a type that only this end sends: the line echoes, or a second program is on the port */
  wrongDirection: number;
  /** intact frames whose length is not that of their type */
  wrongLength: number;
  /** intact frames with a number in an enum field that names nothing */
  unknownValue: number;
  /** intact frames with the sequence of the frame of their type accepted last */
  duplicated: number;
  /** intact frames with an older sequence than the frame of their type accepted last */
  outOfOrder: number;
  /** times that a run of out-of-order frames was taken for a sender that counts anew, and accepted again */
  resynchronised: number;
}

export const noCounts = (): LinkCounters => ({
  accepted: 0,
  lost: 0,
  oversized: 0,
  malformed: 0,
  truncated: 0,
  corrupted: 0,
  unknownType: 0,
  wrongDirection: 0,
  wrongLength: 0,
  unknownValue: 0,
  duplicated: 0,
  outOfOrder: 0,
  resynchronised: 0,
});
