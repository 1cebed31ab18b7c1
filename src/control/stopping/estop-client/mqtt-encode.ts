import { generate, type Packet, writeToStream } from 'mqtt-packet';

// At its first packet mqtt-packet makes a buffer for each of 65,536 numbers: 30 ms of standstill and 9 MB for the garbage
// collector to walk over ever after (measured). Control would pay for it in the middle of balancing.
writeToStream.cacheNumbers = false;

/** A packet as MQTT 5 puts it on the wire. @throws Error when it has fields that MQTT has no room for */
export const encodePacket = (packet: Packet): Buffer => generate(packet, { protocolVersion: 5 });
