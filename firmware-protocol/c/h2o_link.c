#include "h2o_link.h"

#include "h2o_bytes.h"

/** Out-of-order frames in a row, each following the one before, that show a sender which counts anew (§3.13). */
#define RESYNCHRONISE_AFTER 8u

/* ---- §2: sending --------------------------------------------------------------------------------------------------- */

uint32_t h2o_crc32(const uint8_t *bytes, size_t length) {
  /* Half a byte at a time: 64 bytes of table in place of 1024. */
  static const uint32_t table[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
      0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
  };
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = (crc >> 4) ^ table[crc & 0x0fu];
    crc = (crc >> 4) ^ table[crc & 0x0fu];
  }
  return crc ^ 0xffffffffu;
}

/** §2.4. Frames are shorter than 254 bytes, so no block is ever full. `to` has room for one byte more than `from`. */
static size_t stuff(const uint8_t *from, size_t length, uint8_t *to) {
  size_t code_at = 0;
  size_t end = 1;
  for (size_t i = 0; i < length; i++) {
    if (from[i] != 0u) {
      to[end++] = from[i];
      continue;
    }
    to[code_at] = (uint8_t)(end - code_at);
    code_at = end++;
  }
  to[code_at] = (uint8_t)(end - code_at);
  return end;
}

/** Where a type stands in `h2o_types`; H2O_TYPE_COUNT if nowhere. */
static size_t index_of(unsigned type) {
  size_t index = 0;
  while (index < H2O_TYPE_COUNT && h2o_types[index].type != type) index++;
  return index;
}

void h2o_encoder_init(h2o_encoder *encoder, uint16_t first) {
  for (size_t i = 0; i < H2O_TYPE_COUNT; i++) encoder->next[i] = first;
}

uint16_t h2o_encoder_next(const h2o_encoder *encoder, h2o_type type) {
  const size_t index = index_of(type);
  return index < H2O_TYPE_COUNT ? encoder->next[index] : 0u;
}

size_t h2o_encode(h2o_encoder *encoder, const h2o_message *message, uint32_t time, uint8_t wire[H2O_MAX_WIRE]) {
  const size_t index = index_of(message->type);
  if (index == H2O_TYPE_COUNT) return 0;

  /* §2.2: header and payload, §2.3: CRC */
  uint8_t frame[H2O_MAX_FRAME];
  h2o_put_u8(frame, h2o_types[index].type);
  h2o_put_u16(frame + 1, encoder->next[index]++);
  h2o_put_u32(frame + 3, time);
  h2o_encode_payload(message, frame + H2O_HEADER_SIZE);
  const size_t crc_at = H2O_HEADER_SIZE + h2o_types[index].payload_size;
  h2o_put_u32(frame + crc_at, h2o_crc32(frame, crc_at));

  /* §2.5: these two arrive whatever half a frame or noise came before them */
  const bool flushes = message->type == H2O_ESTOP || message->type == H2O_HELLO;
  size_t length = 0;
  if (flushes) wire[length++] = 0;
  length += stuff(frame, crc_at + H2O_TRAILER_SIZE, wire + length);
  wire[length++] = 0;
  return length;
}

/* ---- §3: receiving ------------------------------------------------------------------------------------------------- */

static void forget_sequences(h2o_decoder *decoder) {
  for (size_t i = 0; i < H2O_TYPE_COUNT; i++) {
    decoder->sequences[i] = (h2o_sequence){0};
  }
}

void h2o_decoder_init(h2o_decoder *decoder, h2o_sender from) {
  decoder->counters = (h2o_counters){0};
  decoder->from = from;
  decoder->met = false;
  decoder->nonce = 0;
  decoder->skipping = false;
  decoder->length = 0;
  forget_sequences(decoder);
}

/** §2.4, in place: the output never overtakes the input. Returns false if the blocks do not add up. */
static bool unstuff(uint8_t *bytes, size_t length, size_t *unstuffed) {
  size_t from = 0;
  size_t to = 0;
  while (from < length) {
    const size_t code = bytes[from++];
    const size_t end = from + code - 1u;
    if (code == 0u || end > length) return false;
    while (from < end) bytes[to++] = bytes[from++];
    /* The zero after the last block is not part of the data. A full block cannot be: no frame is so long. */
    if (from < length) bytes[to++] = 0;
  }
  *unstuffed = to;
  return true;
}

static bool refuse(uint32_t *counter) {
  (*counter)++;
  return false;
}

/** §3.10 to §3.13. Returns whether the frame is accepted; `lost` says how many are missing before it. */
static bool in_sequence(h2o_decoder *decoder, h2o_sequence *seen, uint16_t sequence, uint16_t *lost) {
  const uint16_t ahead = (uint16_t)(sequence - seen->last);
  *lost = 0;
  if (seen->started) {
    if (ahead == 0u) return refuse(&decoder->counters.duplicated);
    if (ahead < 0x8000u) {
      *lost = (uint16_t)(ahead - 1u);
    } else {
      seen->run = (uint8_t)(sequence == seen->run_next ? seen->run + 1u : 1u);
      seen->run_next = (uint16_t)(sequence + 1u);
      if (seen->run < RESYNCHRONISE_AFTER) return refuse(&decoder->counters.out_of_order);
      decoder->counters.resynchronised++;
    }
  }
  seen->started = true;
  seen->last = sequence;
  seen->run = 0;
  return true;
}

/** The receiver's rules, in their order. */
static bool finish(h2o_decoder *decoder, h2o_frame *frame) {
  h2o_counters *const counters = &decoder->counters;
  uint8_t *const bytes = decoder->buffer;
  size_t length = 0;
  if (!unstuff(bytes, decoder->length, &length)) return refuse(&counters->malformed);              /* §3.3 */
  if (length < H2O_HEADER_SIZE + H2O_TRAILER_SIZE) return refuse(&counters->truncated);             /* §3.4 */
  const size_t crc_at = length - H2O_TRAILER_SIZE;
  if (h2o_crc32(bytes, crc_at) != h2o_get_u32(bytes + crc_at)) return refuse(&counters->corrupted); /* §3.5 */

  const size_t index = index_of(bytes[0]);
  if (index == H2O_TYPE_COUNT) return refuse(&counters->unknown_type); /* §3.6 */
  const h2o_type_info *const info = &h2o_types[index];
  const h2o_direction own = decoder->from == H2O_FROM_HOST ? H2O_MCU_TO_HOST : H2O_HOST_TO_MCU;
  if (info->direction == own) return refuse(&counters->wrong_direction);                            /* §3.7 */
  if (crc_at - H2O_HEADER_SIZE != info->payload_size) return refuse(&counters->wrong_length);       /* §3.8 */
  h2o_message message = {.type = (h2o_type)info->type};
  if (!h2o_decode_payload(&message, bytes + H2O_HEADER_SIZE)) return refuse(&counters->unknown_value); /* §3.9 */

  const uint16_t sequence = h2o_get_u16(bytes + 1);
  uint16_t lost = 0;
  if (message.type == H2O_HELLO) {
    /* §3.14: it may come from an end that has just started */
    if (!decoder->met || message.as.hello.nonce != decoder->nonce) forget_sequences(decoder);
    decoder->met = true;
    decoder->nonce = message.as.hello.nonce;
  } else if (message.type != H2O_ESTOP) { /* §3.14: a stop works whatever its number */
    if (!in_sequence(decoder, &decoder->sequences[index], sequence, &lost)) return false;
  }
  counters->accepted++;
  counters->lost += lost;
  frame->message = message;
  frame->sequence = sequence;
  frame->lost = lost;
  frame->time = h2o_get_u32(bytes + 3);
  return true;
}

bool h2o_decoder_push(h2o_decoder *decoder, uint8_t byte, h2o_frame *frame) {
  if (byte == 0u) { /* §3.1 */
    const bool accepted = !decoder->skipping && decoder->length > 0u && finish(decoder, frame);
    decoder->length = 0;
    decoder->skipping = false;
    return accepted;
  }
  if (decoder->skipping) return false;
  if (decoder->length < H2O_MAX_STUFFED) {
    decoder->buffer[decoder->length++] = byte;
    return false;
  }
  decoder->skipping = true; /* §3.2 */
  return refuse(&decoder->counters.oversized);
}

/* ---- §2.6: values -------------------------------------------------------------------------------------------------- */

/** The largest integers of the 8 and 16 bit types are exact in a float, so no conversion below is out of range. */
static int32_t nearest(float raw, int32_t min, int32_t max) {
  if (raw >= (float)max) return max;
  if (raw <= (float)min) return min;
  if (!(raw < 0.0f) && !(raw >= 0.0f)) return 0; /* NaN */
  return (int32_t)(raw < 0.0f ? raw - 0.5f : raw + 0.5f);
}

int8_t h2o_raw_i8(float value, float resolution) { return (int8_t)nearest(value / resolution, INT8_MIN, INT8_MAX); }

uint8_t h2o_raw_u8(float value, float resolution) { return (uint8_t)nearest(value / resolution, 0, UINT8_MAX); }

int16_t h2o_raw_i16(float value, float resolution) {
  return (int16_t)nearest(value / resolution, INT16_MIN, INT16_MAX);
}

uint16_t h2o_raw_u16(float value, float resolution) { return (uint16_t)nearest(value / resolution, 0, UINT16_MAX); }

int32_t h2o_raw_i32(double value, double resolution) {
  const double raw = value / resolution;
  if (raw >= (double)INT32_MAX) return INT32_MAX;
  if (raw <= (double)INT32_MIN) return INT32_MIN;
  if (!(raw < 0.0) && !(raw >= 0.0)) return 0; /* NaN */
  return (int32_t)(raw < 0.0 ? raw - 0.5 : raw + 0.5);
}
