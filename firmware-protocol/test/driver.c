/**
 * Lets tests in another language drive the library through stdin and stdout. All integers are u32, little-endian.
 *
 *   decode   in: (sender, length, bytes)…            out for each: the 13 counters, and a CRC of all that was accepted;
 *                                                    sender 2 with length 0 is no stream and flushes what was said
 *   mcu      in: (operation, argument, [bytes])…     out for each: length and bytes that the MCU sent
 *   clock    in: (built, sampled, received)…         out for each: offset and uncertainty
 *   bench    in: nothing                             out: bytes decoded per second, as text
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "h2o_bytes.h"
#include "h2o_mcu.h"

#define MOST 0x10000u

static bool read_u32(uint32_t *value) {
  uint8_t bytes[4];
  if (fread(bytes, sizeof bytes, 1, stdin) != 1) return false;
  *value = h2o_get_u32(bytes);
  return true;
}

static void write_u32(uint32_t value) {
  uint8_t bytes[4];
  h2o_put_u32(bytes, value);
  fwrite(bytes, sizeof bytes, 1, stdout);
}

/** Of its own allocation, so that a sanitizer sees the first byte read behind the end. */
static uint8_t *read_bytes(uint32_t length) {
  uint8_t *const bytes = malloc(length > 0 ? length : 1);
  if (bytes == NULL || length > MOST || fread(bytes, 1, length, stdin) != length) exit(2);
  return bytes;
}

/* ---- decode -------------------------------------------------------------------------------------------------------- */

static uint32_t chained(uint32_t crc, const uint8_t *bytes, size_t length) {
  uint8_t block[4 + H2O_HEADER_SIZE + 2 + H2O_MAX_PAYLOAD];
  h2o_put_u32(block, crc);
  memcpy(block + 4, bytes, length);
  return h2o_crc32(block, 4 + length);
}

static size_t size_of(h2o_type type) {
  for (size_t i = 0; i < H2O_TYPE_COUNT; i++) {
    if (h2o_types[i].type == (uint8_t)type) return h2o_types[i].payload_size;
  }
  return 0;
}

static int decode(void) {
  uint32_t from = 0;
  uint32_t length = 0;
  while (read_u32(&from) && read_u32(&length)) {
    if (from > 1) { /* somebody waits for what was answered so far */
      fflush(stdout);
      continue;
    }
    uint8_t *const bytes = read_bytes(length);
    h2o_decoder decoder;
    h2o_decoder_init(&decoder, from == 0 ? H2O_FROM_HOST : H2O_FROM_MCU);
    h2o_frame frame;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < length; i++) {
      if (!h2o_decoder_push(&decoder, bytes[i], &frame)) continue;
      uint8_t what[H2O_HEADER_SIZE + 2 + H2O_MAX_PAYLOAD];
      h2o_put_u8(what, (uint8_t)frame.message.type);
      h2o_put_u16(what + 1, frame.sequence);
      h2o_put_u32(what + 3, frame.time);
      h2o_put_u16(what + 7, frame.lost);
      h2o_encode_payload(&frame.message, what + 9);
      crc = chained(crc, what, 9 + size_of(frame.message.type));
    }
    free(bytes);
    const h2o_counters *const c = &decoder.counters;
    const uint32_t counts[] = {c->accepted,     c->lost,         c->oversized,     c->malformed,  c->truncated,
                               c->corrupted,    c->unknown_type, c->wrong_direction, c->wrong_length, c->unknown_value,
                               c->duplicated,   c->out_of_order, c->resynchronised};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) write_u32(counts[i]);
    write_u32(crc);
  }
  return 0;
}

/* ---- mcu ----------------------------------------------------------------------------------------------------------- */

typedef struct sent_bytes {
  size_t length;
  uint8_t bytes[MOST];
} sent_bytes;

static void collect(void *context, const uint8_t *bytes, size_t length) {
  sent_bytes *const sent = context;
  if (sent->length + length > sizeof sent->bytes) exit(3);
  memcpy(sent->bytes + sent->length, bytes, length);
  sent->length += length;
}

/** As a loop of a real firmware: tick every millisecond, sample every fifth. */
static void pass(h2o_mcu *mcu, uint32_t *now, uint32_t milliseconds) {
  for (uint32_t i = 0; i < milliseconds; i++) {
    *now += 1000;
    h2o_mcu_tick(mcu, *now);
    if (*now % 5000u != 0) continue;
    h2o_sensors readings = h2o_sensors_default;
    readings.has_attitude = readings.has_wheel_torque = readings.has_legs = true;
    readings.battery = 96;
    readings.temperature = 35;
    h2o_mcu_sample(mcu, &readings, *now);
  }
}

static int run_mcu(void) {
  static h2o_mcu mcu;
  static sent_bytes sent;
  h2o_mcu_config config = {.name = "wheel-legged", .revision = "test", .sensor_rate = 200, .watchdog = 50};
  config.send = collect;
  config.context = &sent;
  uint32_t now = 0;
  uint32_t operation = 0;
  uint32_t argument = 0;
  while (read_u32(&operation) && read_u32(&argument)) {
    sent.length = 0;
    if (operation == 0) { /* boot with that nonce */
      now = 0;
      config.nonce = argument;
      h2o_mcu_boot(&mcu, &config, now);
    } else if (operation == 1) { /* so many milliseconds pass */
      pass(&mcu, &now, argument);
    } else if (operation == 2) { /* so many bytes come */
      uint8_t *const bytes = read_bytes(argument);
      for (uint32_t i = 0; i < argument; i++) h2o_mcu_receive(&mcu, bytes[i], now);
      free(bytes);
    } else if (operation == 3) { /* these fault bits are set */
      h2o_mcu_set_faults(&mcu, (uint16_t)argument, now);
    } else {
      return 2;
    }
    write_u32((uint32_t)sent.length);
    fwrite(sent.bytes, 1, sent.length, stdout);
  }
  return 0;
}

/* ---- clock --------------------------------------------------------------------------------------------------------- */

static int run_clock(void) {
  h2o_clock clock_offset;
  h2o_clock_reset(&clock_offset);
  uint32_t built = 0;
  uint32_t sampled = 0;
  uint32_t received = 0;
  uint32_t offset = 0;
  uint32_t uncertainty = 0;
  if (h2o_clock_offset(&clock_offset, &offset, &uncertainty)) return 5;
  while (read_u32(&built) && read_u32(&sampled) && read_u32(&received)) {
    h2o_clock_observe(&clock_offset, built, sampled, received);
    if (!h2o_clock_offset(&clock_offset, &offset, &uncertainty)) return 5;
    write_u32(offset);
    write_u32(uncertainty);
  }
  return 0;
}

/* ---- bench --------------------------------------------------------------------------------------------------------- */

/** `sensors` after `sensors`, each with other readings. */
static int bench(void) {
  enum { FRAMES = 1000 };
  static uint8_t line[FRAMES * H2O_MAX_WIRE];
  size_t length = 0;
  h2o_encoder encoder;
  h2o_encoder_init(&encoder, 0);
  for (int i = 0; i < FRAMES; i++) {
    h2o_message message = {.type = H2O_SENSORS, .as = {.sensors = h2o_sensors_default}};
    for (int axis = 0; axis < 3; axis++) message.as.sensors.gyro[axis] = (int16_t)(i * (axis + 7));
    length += h2o_encode(&encoder, &message, (uint32_t)i * 5000u, line + length);
  }
  h2o_decoder decoder;
  h2o_decoder_init(&decoder, H2O_FROM_MCU);
  h2o_frame frame;
  uint64_t bytes = 0;
  const clock_t begin = clock();
  while (clock() - begin < CLOCKS_PER_SEC) {
    for (size_t i = 0; i < length; i++) (void)h2o_decoder_push(&decoder, line[i], &frame);
    bytes += length;
  }
  const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
  const uint64_t decoded = (uint64_t)decoder.counters.accepted + decoder.counters.duplicated + decoder.counters.out_of_order;
  if (decoded * length != bytes * FRAMES) return 4; /* each was decoded whole, whatever its sequence was worth */
  printf("%.0f\n", (double)bytes / seconds);
  return 0;
}

int main(int count, char **words) {
  const char *const mode = count == 2 ? words[1] : "";
  if (strcmp(mode, "decode") == 0) return decode();
  if (strcmp(mode, "mcu") == 0) return run_mcu();
  if (strcmp(mode, "clock") == 0) return run_clock();
  if (strcmp(mode, "bench") == 0) return bench();
  fprintf(stderr, "usage: driver decode|mcu|clock|bench\n");
  return 2;
}
