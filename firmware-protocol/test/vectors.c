/** Holds the library to the golden vectors (PROTOCOL.md §12). Prints what is wrong; ends with 0 if nothing is. */
#include <stdio.h>

#include "vectors.gen.h"

static int problems = 0;

static void expect(bool so, const char *vector, const char *what) {
  if (so) return;
  printf("%s: %s\n", vector, what);
  problems++;
}

static void encodes(const frame_vector *vector) {
  h2o_encoder encoder;
  h2o_encoder_init(&encoder, vector->sequence);
  uint8_t wire[H2O_MAX_WIRE];
  const size_t length = h2o_encode(&encoder, &vector->message, vector->time, wire);
  expect(length == vector->length && memcmp(wire, vector->wire, length) == 0, vector->name, "encodes to other bytes");
  expect(h2o_encoder_next(&encoder, vector->message.type) == (uint16_t)(vector->sequence + 1u), vector->name,
         "the next sequence is wrong");
}

static void decodes(const frame_vector *vector) {
  h2o_decoder decoder;
  h2o_decoder_init(&decoder, vector->from);
  h2o_frame frame = {0};
  bool accepted = false;
  for (size_t i = 0; i < vector->length; i++) accepted = h2o_decoder_push(&decoder, vector->wire[i], &frame);
  expect(accepted, vector->name, "is not accepted");
  expect(same_message(&frame.message, &vector->message), vector->name, "decodes to other values");
  expect(frame.sequence == vector->sequence && frame.time == vector->time, vector->name, "has another header");
}

static void judges(const stream_vector *vector) {
  h2o_decoder decoder;
  h2o_decoder_init(&decoder, vector->from);
  h2o_frame frame;
  size_t accepted = 0;
  for (size_t i = 0; i < vector->length; i++) {
    if (!h2o_decoder_push(&decoder, vector->wire[i], &frame)) continue;
    const size_t most = sizeof vector->accepts / sizeof vector->accepts[0];
    expect(accepted < most && frame.message.type == (h2o_type)vector->accepts[accepted].type &&
               frame.sequence == vector->accepts[accepted].sequence,
           vector->name, "accepts another frame");
    accepted++;
  }
  /* Counters are integers of one size: no padding. */
  expect(memcmp(&decoder.counters, &vector->counts, sizeof decoder.counters) == 0, vector->name, "counts otherwise");
}

int main(void) {
  const size_t frames = sizeof frame_vectors / sizeof frame_vectors[0];
  const size_t streams = sizeof stream_vectors / sizeof stream_vectors[0];
  for (size_t i = 0; i < frames; i++) {
    encodes(&frame_vectors[i]);
    decodes(&frame_vectors[i]);
  }
  for (size_t i = 0; i < streams; i++) judges(&stream_vectors[i]);
  printf("%lu frames, %lu streams, %d problems\n", (unsigned long)frames, (unsigned long)streams, problems);
  return problems == 0 ? 0 : 1;
}
