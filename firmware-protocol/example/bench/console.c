#include "console.h"

#include "board.h"

/* Each byte costs QEMU a system call: not more often than is of use. */
#define EVERY_STEPS 50u

static char line[640];
static size_t length;

static void put_text(const char *text) {
  while (*text != '\0' && length < sizeof line) line[length++] = *text++;
}

static void put_number(int64_t value) {
  char digits[20];
  size_t count = 0;
  uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
  do {
    digits[count++] = (char)('0' + (int)(rest % 10u));
    rest /= 10u;
  } while (rest > 0u);
  if (value < 0) put_text("-");
  while (count > 0u && length < sizeof line) line[length++] = digits[--count];
}

/** One key, its value an integer: all a firmware needs of JSON. */
static void put(const char *key, int64_t value) {
  put_text(length == 0u ? "{\"" : ",\"");
  put_text(key);
  put_text("\":");
  put_number(value);
}

static int64_t micro(float value) { return (int64_t)(value * 1e6f); }

void console_init(void (*on_order)(uint8_t letter)) { board_uart_open(BOARD_UART_CONSOLE, on_order); }

void console_step(const h2o_mcu *mcu, const plant_truth *truth, const bench_counters *bench, uint32_t now) {
  static unsigned steps;
  static float max_pitch;
  const float lean = truth->pitch < 0.0f ? -truth->pitch : truth->pitch;
  if (lean > max_pitch) max_pitch = lean;
  if (++steps < EVERY_STEPS) return;
  steps = 0;

  length = 0;
  put("timeUs", now);
  put("state", mcu->state);
  put("latch", mcu->latch);
  put("latchCause", mcu->latch_cause);
  put("latchedAtUs", mcu->latched_at);
  put("commandAtUs", mcu->command_received);
  put("commandFresh", mcu->command_fresh);
  put("held", truth->held);
  put("microX", (int64_t)(truth->x * 1e6));
  put("microSpeed", micro(truth->speed));
  put("microPitch", micro(truth->pitch));
  put("microMaxPitch", micro(max_pitch)); /* since the line before */
  put("microTorque", micro(truth->torque));
  put("accepted", mcu->decoder.counters.accepted);
  put("corrupted", mcu->decoder.counters.corrupted + mcu->decoder.counters.malformed + mcu->decoder.counters.truncated +
                       mcu->decoder.counters.oversized);
  put("lost", mcu->decoder.counters.lost);
  put("wrongSession", mcu->rejected.wrong_session);
  put("expired", mcu->rejected.expired);
  put("overruns", board_uart_health(BOARD_UART_HOST).overruns);
  put("dropped", board_uart_health(BOARD_UART_HOST).dropped);
  put("roundTripUs", bench->round_trip);
  put("answers", bench->answers);
  put("unanswered", bench->unanswered);
  put("slips", bench->slips);
  put_text("}\n");
  max_pitch = 0.0f;

  const uint32_t lock = board_lock();
  (void)board_uart_send(BOARD_UART_CONSOLE, (const uint8_t *)line, length);
  board_unlock(lock);
}
