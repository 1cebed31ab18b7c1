/**
 * Frames on a serial line (PROTOCOL.md §2 and §3): bytes to messages and back. C99, no allocation, no globals, only the
 * standard headers; safe to be fed byte by byte from a receive interrupt.
 */
#ifndef H2O_LINK_H
#define H2O_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "h2o_messages.h"

/** Bytes before the payload (§2.2), and the CRC after it. */
#define H2O_HEADER_SIZE 7u
#define H2O_TRAILER_SIZE 4u
/** Most bytes of a frame before stuffing, and after it: one block of COBS. */
#define H2O_MAX_FRAME (H2O_HEADER_SIZE + H2O_MAX_PAYLOAD + H2O_TRAILER_SIZE)
#define H2O_MAX_STUFFED (H2O_MAX_FRAME + 1u)
/** Most bytes that one frame takes on the wire, with a delimiter before and after it (§2.5). */
#define H2O_MAX_WIRE (H2O_MAX_STUFFED + 2u)

/** What a receiver met on its line (§3). Each refused frame is counted under exactly one name. */
typedef struct h2o_counters {
  /** frames handed on */
  uint32_t accepted;
  /** frames that never came: the sum of the gaps in the sequences of accepted frames */
  uint32_t lost;
  /** longer than any message; dropped unread */
  uint32_t oversized;
  /** COBS blocks that do not add up */
  uint32_t malformed;
  /** too short for header and CRC */
  uint32_t truncated;
  /** the CRC did not match */
  uint32_t corrupted;
  /** intact, of a type that this version does not have */
  uint32_t unknown_type;
  /** intact, of a type that only this end sends */
  uint32_t wrong_direction;
  /** intact, not as long as its type */
  uint32_t wrong_length;
  /** intact, with a number in an enum field that names nothing */
  uint32_t unknown_value;
  /** intact, with the sequence of the frame of its type accepted last */
  uint32_t duplicated;
  /** intact, with an older sequence than that */
  uint32_t out_of_order;
  /** times that a run of out-of-order frames was taken for a sender that counts anew */
  uint32_t resynchronised;
} h2o_counters;

/** A frame that was accepted. */
typedef struct h2o_frame {
  h2o_message message;
  /** counts the sender's frames of this type, modulo 2^16 */
  uint16_t sequence;
  /** frames of this type that are missing before this one */
  uint16_t lost;
  /** [µs] sender's clock, modulo 2^32 */
  uint32_t time;
} h2o_frame;

/** Which end sends on the line that is listened to. */
typedef enum h2o_sender { H2O_FROM_HOST, H2O_FROM_MCU } h2o_sender;

/** Sequences of one type (§3.10 to §3.13). */
typedef struct h2o_sequence {
  bool started;
  uint8_t run;
  uint16_t last;
  uint16_t run_next;
} h2o_sequence;

typedef struct h2o_decoder {
  h2o_counters counters;
  h2o_sender from;
  h2o_sequence sequences[H2O_TYPE_COUNT];
  bool met;
  uint32_t nonce;
  bool skipping;
  uint8_t length;
  uint8_t buffer[H2O_MAX_STUFFED];
} h2o_decoder;

/** Begins anew, counts included. */
void h2o_decoder_init(h2o_decoder *decoder, h2o_sender from);

/**
 * Takes the next byte of the line. Its time is bounded: at most the CRC and the copy of one frame.
 * Returns true if the byte completed a frame that is accepted; `frame` holds it then and is not touched otherwise.
 */
bool h2o_decoder_push(h2o_decoder *decoder, uint8_t byte, h2o_frame *frame);

/** Counts the sequences of one sender; zero it, or begin elsewhere, before the first frame. */
typedef struct h2o_encoder {
  uint16_t next[H2O_TYPE_COUNT];
} h2o_encoder;

/** `first`: sequence of the first frame of each type. */
void h2o_encoder_init(h2o_encoder *encoder, uint16_t first);

/** Sequence that the next frame of this type will carry. */
uint16_t h2o_encoder_next(const h2o_encoder *encoder, h2o_type type);

/**
 * Builds one frame. `time`: the sender's clock [µs], for `sensors` the instant of sampling.
 * Returns how many bytes of `wire` are to be sent, its delimiters included.
 */
size_t h2o_encode(h2o_encoder *encoder, const h2o_message *message, uint32_t time, uint8_t wire[H2O_MAX_WIRE]);

/** CRC-32/ISO-HDLC (§2.3). */
uint32_t h2o_crc32(const uint8_t *bytes, size_t length);

/**
 * Physical value to raw integer (§2.6): nearest, saturated at the ends. NaN has no nearest integer and becomes 0: do not
 * let it come to that, set a fault bit where a sensor fails. The 32-bit one is in double, since a float has 24 bits.
 */
int8_t h2o_raw_i8(float value, float resolution);
uint8_t h2o_raw_u8(float value, float resolution);
int16_t h2o_raw_i16(float value, float resolution);
uint16_t h2o_raw_u16(float value, float resolution);
int32_t h2o_raw_i32(double value, double resolution);

#endif
