/**
 * libFuzzer: any bytes on the line. Bit 0 of the first byte says which end listens; with bit 1 the rest are pieces (length,
 * bytes) that get their CRC and stuffing here, since no fuzzer guesses a CRC. Besides what the sanitizers see: whatever is
 * accepted, sent again, gives a frame that is accepted with the same content; and every frame is counted once.
 */
#include <stdlib.h>
#include <string.h>

#include "h2o_bytes.h"
#include "h2o_link.h"

static void check(bool so) {
  if (!so) abort();
}

static uint32_t refused(const h2o_counters *c) {
  return c->oversized + c->malformed + c->truncated + c->corrupted + c->unknown_type + c->wrong_direction +
         c->wrong_length + c->unknown_value + c->duplicated + c->out_of_order;
}

static void goes_round(const h2o_frame *frame, h2o_sender from) {
  h2o_encoder encoder;
  h2o_encoder_init(&encoder, frame->sequence);
  uint8_t wire[H2O_MAX_WIRE];
  const size_t length = h2o_encode(&encoder, &frame->message, frame->time, wire);
  h2o_decoder decoder;
  h2o_decoder_init(&decoder, from);
  h2o_frame again;
  bool accepted = false;
  for (size_t i = 0; i < length; i++) accepted = h2o_decoder_push(&decoder, wire[i], &again);
  check(accepted && again.message.type == frame->message.type && again.time == frame->time);
  uint8_t first[H2O_MAX_PAYLOAD] = {0};
  uint8_t second[H2O_MAX_PAYLOAD] = {0};
  h2o_encode_payload(&frame->message, first);
  h2o_encode_payload(&again.message, second);
  check(memcmp(first, second, sizeof first) == 0);
}

typedef struct line {
  h2o_decoder decoder;
  h2o_sender from;
  /** frames that ended, and whether one has begun */
  uint32_t ended;
  bool inside;
} line;

static void put(line *l, uint8_t byte) {
  h2o_frame frame;
  const uint32_t before = l->decoder.counters.accepted;
  const bool accepted = h2o_decoder_push(&l->decoder, byte, &frame);
  check(accepted == (l->decoder.counters.accepted == before + 1u));
  if (accepted) goes_round(&frame, l->from);
  if (byte == 0u && l->inside) l->ended++;
  l->inside = byte != 0u;
}

/** §2.3 to §2.5 a second time: the longest run without a zero that fits a block, again and again. */
static void put_intact(line *l, const uint8_t *bytes, size_t length) {
  uint8_t plain[256 + H2O_TRAILER_SIZE];
  memcpy(plain, bytes, length);
  h2o_put_u32(plain + length, h2o_crc32(bytes, length));
  const size_t all = length + H2O_TRAILER_SIZE;
  for (size_t from = 0; from <= all;) {
    size_t run = 0;
    while (from + run < all && plain[from + run] != 0u && run < 254u) run++;
    put(l, (uint8_t)(run + 1u));
    for (size_t i = 0; i < run; i++) put(l, plain[from + i]);
    from += run + (run < 254u ? 1u : 0u);
  }
  put(l, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  line l = {.from = (data[0] & 1u) == 0u ? H2O_FROM_HOST : H2O_FROM_MCU};
  h2o_decoder_init(&l.decoder, l.from);
  if ((data[0] & 2u) == 0u) {
    for (size_t i = 1; i < size; i++) put(&l, data[i]);
  } else {
    for (size_t i = 1; i < size;) {
      const size_t length = data[i] < size - i - 1u ? data[i] : size - i - 1u;
      put_intact(&l, data + i + 1u, length);
      i += 1u + length;
    }
  }
  /* A frame that is too long is counted before it ends. */
  const uint32_t judged = l.decoder.counters.accepted + refused(&l.decoder.counters);
  check(judged == l.ended || judged == l.ended + 1u);
  return 0;
}
