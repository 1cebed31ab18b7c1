/**
 * libFuzzer: a host, a clock and a plant that do anything. Each operation is a byte, see below; frames are built right, so
 * that the fuzzer gets past the CRC. What must hold whatever happens: torque flows only in active, on a fresh command of
 * the host in charge, and in braking; nothing but idle leads to active; an e-stop is left only by a clear of its number.
 */
#include <stdlib.h>

#include "h2o_bytes.h"
#include "h2o_mcu.h"

/** By the first byte of each, modulo their number; the second is its argument. */
enum operation { TICKS, LONG_TICK, SAMPLE, HELLO, COMMAND, ESTOP, CLEAR, FAULTS, STOP_INPUT, BYTES, OPERATIONS };

static void check(bool so) {
  if (!so) abort();
}

typedef struct world {
  h2o_mcu mcu;
  h2o_encoder host;
  uint32_t now;
  /** as the drives were told last */
  bool torque;
} world;

static void sent(void *context, const uint8_t *bytes, size_t length) {
  (void)context;
  check(length > 0 && length <= H2O_MAX_WIRE && bytes[length - 1] == 0);
}

static void torque_off(void *context) { ((world *)context)->torque = false; }

static uint8_t next(const uint8_t **data, size_t *size) {
  if (*size == 0) return 0;
  (*size)--;
  return *(*data)++;
}

static void deliver(world *w, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) h2o_mcu_receive(&w->mcu, bytes[i], w->now);
}

static void deliver_message(world *w, const h2o_message *message) {
  uint8_t wire[H2O_MAX_WIRE];
  deliver(w, wire, h2o_encode(&w->host, message, w->now, wire));
}

static void step(world *w, uint32_t micros) {
  w->now += micros;
  h2o_mcu_tick(&w->mcu, w->now);
  const h2o_drive drive = h2o_mcu_drive(&w->mcu);
  w->torque = drive == H2O_DRIVE_COMMAND || drive == H2O_DRIVE_BRAKE;
  if (drive == H2O_DRIVE_COMMAND) {
    const h2o_command *const command = h2o_mcu_command(&w->mcu);
    check(w->mcu.state == H2O_MCU_STATE_ACTIVE && w->mcu.host != 0u && command->session == w->mcu.host);
    check((uint32_t)(w->now - w->mcu.command_sampled) < (uint32_t)command->time_to_live * 10u);
  }
  if (w->mcu.state == H2O_MCU_STATE_ACTIVE) {
    check((uint32_t)(w->now - w->mcu.command_received) < (uint32_t)w->mcu.config.watchdog * 1000u);
  }
}

static uint32_t nonce_of(uint8_t choice) { return choice % 4u; /* 0 is no nonce */ }

static void operate(world *w, const uint8_t **data, size_t *size) {
  h2o_message message = {.type = H2O_HELLO};
  const uint8_t operation = next(data, size);
  const uint8_t argument = next(data, size);
  switch (operation % OPERATIONS) {
    case TICKS:
      for (unsigned i = 0; i <= argument % 32u; i++) step(w, 1000);
      return;
    case LONG_TICK:
      step(w, (uint32_t)argument << 24); /* over an hour; the clock wraps */
      return;
    case SAMPLE: {
      h2o_sensors readings = h2o_sensors_default;
      h2o_mcu_sample(&w->mcu, &readings, w->now);
      return;
    }
    case HELLO:
      message.as.hello.protocol_version = argument % 16u == 15u ? 0u : H2O_PROTOCOL_VERSION;
      message.as.hello.schema_hash = argument % 16u == 14u ? 1u : H2O_SCHEMA_HASH;
      message.as.hello.nonce = nonce_of(argument);
      break;
    case COMMAND:
      message.type = H2O_COMMAND;
      message.as.command.session = nonce_of(argument);
      message.as.command.answers = (uint16_t)(w->mcu.newest - next(data, size) % 80u);
      message.as.command.time_to_live = (uint16_t)(next(data, size) * 20u);
      message.as.command.requested_state = (h2o_requested_state)((argument >> 2) % 4u);
      break;
    case ESTOP:
      message.type = H2O_ESTOP;
      message.as.estop.reason = argument;
      break;
    case CLEAR:
      message.type = H2O_CLEAR;
      message.as.clear.session = nonce_of(argument);
      message.as.clear.latch = (uint16_t)(w->mcu.latch - (argument >> 2) % 3u);
      break;
    case FAULTS:
      h2o_mcu_set_faults(&w->mcu, argument % 4u == 0u ? (uint16_t)(1u << (argument >> 5)) : 0u, w->now);
      return;
    case STOP_INPUT:
      h2o_mcu_set_stop_input(&w->mcu, argument % 4u == 0u, w->now);
      return;
    default: { /* BYTES */
      const size_t length = argument < *size ? argument : *size;
      deliver(w, *data, length);
      *data += length;
      *size -= length;
      return;
    }
  }
  deliver_message(w, &message);
}

/** §5, read backwards: may this operation, which is at most one message, lead from there to here? */
static bool allowed(h2o_mcu_state from, bool latched, unsigned operation, h2o_mcu_state to) {
  if (from == to) return true;
  switch (operation % OPERATIONS) {
    case TICKS:
    case LONG_TICK:
      return (from == H2O_MCU_STATE_ACTIVE && to == H2O_MCU_STATE_BRAKING) ||
             (from == H2O_MCU_STATE_BRAKING && to == H2O_MCU_STATE_LIMP);
    case COMMAND:
      if (latched) return false;
      if (to == H2O_MCU_STATE_ACTIVE) return from == H2O_MCU_STATE_IDLE;
      if (to == H2O_MCU_STATE_BRAKING) return from == H2O_MCU_STATE_ACTIVE;
      if (to == H2O_MCU_STATE_LIMP) return from == H2O_MCU_STATE_ACTIVE || from == H2O_MCU_STATE_BRAKING;
      return to == H2O_MCU_STATE_IDLE;
    case ESTOP:
    case STOP_INPUT:
      return to == H2O_MCU_STATE_ESTOPPED;
    case FAULTS:
      return to == H2O_MCU_STATE_FAULTED && from != H2O_MCU_STATE_ESTOPPED;
    case CLEAR:
      if (!latched || from == H2O_MCU_STATE_BRAKING) return false;
      return to == H2O_MCU_STATE_IDLE || (from == H2O_MCU_STATE_ESTOPPED && to == H2O_MCU_STATE_FAULTED);
    case BYTES: /* several messages */
      return true;
    default:
      return false;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static world w;
  w = (world){0};
  const h2o_mcu_config config = {
      .name = "fuzz",
      .revision = "0",
      .sensor_rate = 200,
      .watchdog = 50,
      .nonce = 9,
      .send = sent,
      .torque_off = torque_off,
      .context = &w,
  };
  h2o_mcu_boot(&w.mcu, &config, w.now);
  while (size > 0) {
    const h2o_mcu_state before = w.mcu.state;
    const bool latched = w.mcu.latch_cause != H2O_LATCH_CAUSE_NONE;
    const unsigned operation = data[0];
    operate(&w, &data, &size);
    const h2o_mcu_state after = w.mcu.state;
    check(allowed(before, latched, operation, after));
    const bool stopped = after == H2O_MCU_STATE_ESTOPPED || after == H2O_MCU_STATE_FAULTED;
    if (stopped) check(w.mcu.latch_cause != H2O_LATCH_CAUSE_NONE && !w.torque);
    if (after == H2O_MCU_STATE_ACTIVE || after == H2O_MCU_STATE_IDLE) check(w.mcu.latch_cause == H2O_LATCH_CAUSE_NONE);
    if (w.mcu.stop_pressed) check(after == H2O_MCU_STATE_ESTOPPED);
    if (w.mcu.faults != 0u) check(stopped);
  }
  return 0;
}
