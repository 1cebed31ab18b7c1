#include "h2o_mcu.h"

/** From braking to limp (§5). */
#define BRAKE_MICROS 1000000u
/** What is latched is repeated so often (§7.2). */
#define REPORT_MICROS 100000u

/* ---- sending ------------------------------------------------------------------------------------------------------- */

static void send(h2o_mcu *mcu, const h2o_message *message, uint32_t time) {
  uint8_t wire[H2O_MAX_WIRE];
  const size_t length = h2o_encode(&mcu->encoder, message, time, wire);
  mcu->config.send(mcu->config.context, wire, length);
}

static void copy_text(char *to, const char *text, size_t size) {
  size_t i = 0;
  for (; i < size && text[i] != '\0'; i++) to[i] = text[i];
  for (; i < size; i++) to[i] = '\0';
}

static void send_hello(h2o_mcu *mcu, uint32_t now) {
  h2o_message message = {.type = H2O_HELLO};
  h2o_hello *const hello = &message.as.hello;
  hello->protocol_version = H2O_PROTOCOL_VERSION;
  hello->schema_hash = H2O_SCHEMA_HASH;
  hello->nonce = mcu->config.nonce;
  hello->peer_nonce = mcu->host;
  hello->sensor_rate = mcu->config.sensor_rate;
  hello->watchdog = mcu->config.watchdog;
  hello->latch = mcu->latch;
  hello->latch_cause = mcu->latch_cause;
  copy_text(hello->name, mcu->config.name, sizeof hello->name);
  copy_text(hello->revision, mcu->config.revision, sizeof hello->revision);
  send(mcu, &message, now);
}

/** §7.2: what is latched; `estopEcho` in estopped, `fault` otherwise. */
static void report(h2o_mcu *mcu, uint32_t now) {
  h2o_message message = {.type = H2O_FAULT};
  if (mcu->state == H2O_MCU_STATE_ESTOPPED) {
    message.type = H2O_ESTOP_ECHO;
    message.as.estop_echo.latch = mcu->latch;
    message.as.estop_echo.latched_at = mcu->latched_at;
    message.as.estop_echo.estop_sequence = mcu->estop_sequence;
  } else {
    message.as.fault.latch = mcu->latch;
    message.as.fault.cause = mcu->latch_cause;
    message.as.fault.faults = mcu->latched_faults;
    message.as.fault.latched_at = mcu->latched_at;
  }
  mcu->reported_at = now;
  send(mcu, &message, now);
}

/* ---- §5 and §7: states and latches --------------------------------------------------------------------------------- */

static bool latched(const h2o_mcu *mcu) { return mcu->latch_cause != H2O_LATCH_CAUSE_NONE; }

/** §7.1: each latch has a number of its own, so that no earlier `clear` names it. */
static void latch(h2o_mcu *mcu, h2o_mcu_state state, h2o_latch_cause cause, uint32_t now) {
  mcu->state = state;
  mcu->latch_cause = cause;
  mcu->latch++;
  mcu->latched_at = now;
  mcu->latched_faults = mcu->faults;
  if (state != H2O_MCU_STATE_BRAKING && mcu->config.torque_off != NULL) mcu->config.torque_off(mcu->config.context);
  report(mcu, now);
}

static bool fault_latches(const h2o_mcu *mcu) {
  return mcu->faults != 0u && mcu->state != H2O_MCU_STATE_ESTOPPED && mcu->state != H2O_MCU_STATE_FAULTED;
}

/** §5: the transitions that a valid command may ask for. Returns false where its state does not let it. */
static bool request(h2o_mcu *mcu, h2o_requested_state requested, uint32_t now) {
  const h2o_mcu_state state = mcu->state;
  if (latched(mcu)) return requested != H2O_REQUESTED_STATE_ACTIVE;
  switch (requested) {
    case H2O_REQUESTED_STATE_ACTIVE:
      if (state == H2O_MCU_STATE_IDLE) mcu->state = H2O_MCU_STATE_ACTIVE; /* §5.1: from idle only */
      return mcu->state == H2O_MCU_STATE_ACTIVE;
    case H2O_REQUESTED_STATE_BRAKING:
      if (state != H2O_MCU_STATE_ACTIVE) return true; /* torque that is off stays off */
      mcu->state = H2O_MCU_STATE_BRAKING;
      mcu->braking_since = now;
      return true;
    case H2O_REQUESTED_STATE_LIMP:
      if (state != H2O_MCU_STATE_IDLE) mcu->state = H2O_MCU_STATE_LIMP;
      return true;
    case H2O_REQUESTED_STATE_IDLE:
      mcu->state = H2O_MCU_STATE_IDLE;
      return true;
  }
  return false;
}

/** §7.3, §5.2 */
static void clear(h2o_mcu *mcu, const h2o_clear *message, uint32_t now) {
  if (mcu->host == 0u || message->session != mcu->host) return;
  if (!latched(mcu) || message->latch != mcu->latch || mcu->state == H2O_MCU_STATE_BRAKING) return;
  if (mcu->state == H2O_MCU_STATE_FAULTED && mcu->faults != 0u) return;
  if (mcu->state == H2O_MCU_STATE_ESTOPPED && mcu->stop_pressed) return;
  mcu->latch_cause = H2O_LATCH_CAUSE_NONE;
  mcu->state = H2O_MCU_STATE_IDLE;
  if (fault_latches(mcu)) latch(mcu, H2O_MCU_STATE_FAULTED, H2O_LATCH_CAUSE_FAULT, now);
}

/* ---- §4 and §6: who is obeyed, and which command is valid ---------------------------------------------------------- */

/** §4.3, §4.5 */
static void meet(h2o_mcu *mcu, const h2o_hello *hello, uint32_t now) {
  const bool understood = hello->protocol_version == H2O_PROTOCOL_VERSION && hello->schema_hash == H2O_SCHEMA_HASH;
  const bool driving = mcu->state == H2O_MCU_STATE_ACTIVE || mcu->state == H2O_MCU_STATE_BRAKING;
  if (understood && hello->nonce != 0u && hello->nonce != mcu->host && !driving) {
    mcu->host = hello->nonce;
    mcu->command_fresh = false;
    mcu->answered = 0;
    mcu->since_answered = H2O_FRAMES_REMEMBERED;
    h2o_clock_reset(&mcu->clock);
  }
  send_hello(mcu, now);
}

static bool refuse(uint32_t *counter) {
  (*counter)++;
  return false;
}

/** §6.1. `sampled`: of the frame that a valid command answers. */
static bool is_valid(h2o_mcu *mcu, const h2o_command *command, uint32_t now, uint32_t *sampled) {
  if (mcu->host == 0u || command->session != mcu->host) return refuse(&mcu->rejected.wrong_session);
  const uint16_t age = (uint16_t)(mcu->newest - command->answers); /* in frames */
  if (age >= mcu->remembered) return refuse(&mcu->rejected.unknown_answer);
  if (age >= mcu->since_answered) return refuse(&mcu->rejected.stale_answer);
  *sampled = mcu->sampled[command->answers % H2O_FRAMES_REMEMBERED];
  const uint32_t time_to_live = (uint32_t)command->time_to_live * 10u;
  if ((uint32_t)(now - *sampled) >= time_to_live) return refuse(&mcu->rejected.expired);
  mcu->since_answered = (uint8_t)age;
  return true;
}

static void take(h2o_mcu *mcu, const h2o_frame *frame, uint32_t now) {
  const h2o_command *const command = &frame->message.as.command;
  uint32_t sampled = 0;
  if (!is_valid(mcu, command, now, &sampled)) return;
  mcu->command = *command;
  mcu->command_fresh = true;
  mcu->command_sampled = sampled;
  mcu->command_received = now;
  mcu->answered = command->answers;
  h2o_clock_observe(&mcu->clock, frame->time, sampled, now);
  if (!request(mcu, command->requested_state, now)) mcu->rejected.not_allowed++;
}

/* ---- what is called ------------------------------------------------------------------------------------------------ */

void h2o_mcu_boot(h2o_mcu *mcu, const h2o_mcu_config *config, uint32_t now) {
  *mcu = (h2o_mcu){.config = *config, .state = H2O_MCU_STATE_IDLE, .since_answered = H2O_FRAMES_REMEMBERED};
  h2o_decoder_init(&mcu->decoder, H2O_FROM_HOST);
  send_hello(mcu, now);
}

void h2o_mcu_receive(h2o_mcu *mcu, uint8_t byte, uint32_t now) {
  h2o_frame frame;
  if (!h2o_decoder_push(&mcu->decoder, byte, &frame)) return;
  switch (frame.message.type) {
    case H2O_HELLO:
      meet(mcu, &frame.message.as.hello, now);
      break;
    case H2O_COMMAND:
      take(mcu, &frame, now);
      break;
    case H2O_ESTOP: /* §8.1 */
      mcu->estop_sequence = frame.sequence;
      latch(mcu, H2O_MCU_STATE_ESTOPPED, H2O_LATCH_CAUSE_ESTOP, now);
      break;
    case H2O_CLEAR:
      clear(mcu, &frame.message.as.clear, now);
      break;
    case H2O_SENSORS:
    case H2O_ESTOP_ECHO:
    case H2O_FAULT:
      break; /* §3.7: the decoder lets none of them through */
  }
}

void h2o_mcu_tick(h2o_mcu *mcu, uint32_t now) {
  /* Asked once and remembered: 71 minutes later the same subtraction would call it fresh again. */
  const uint32_t time_to_live = (uint32_t)mcu->command.time_to_live * 10u;
  if ((uint32_t)(now - mcu->command_sampled) >= time_to_live) mcu->command_fresh = false;

  /* §6.5 */
  const bool silent = (uint32_t)(now - mcu->command_received) >= (uint32_t)mcu->config.watchdog * 1000u;
  if (mcu->state == H2O_MCU_STATE_ACTIVE && silent) {
    mcu->braking_since = now;
    latch(mcu, H2O_MCU_STATE_BRAKING, H2O_LATCH_CAUSE_WATCHDOG, now);
  }
  if (mcu->state == H2O_MCU_STATE_BRAKING && (uint32_t)(now - mcu->braking_since) >= BRAKE_MICROS) {
    mcu->state = H2O_MCU_STATE_LIMP;
  }
  if (latched(mcu) && (uint32_t)(now - mcu->reported_at) >= REPORT_MICROS) report(mcu, now);
}

void h2o_mcu_sample(h2o_mcu *mcu, h2o_sensors *readings, uint32_t sampled) {
  mcu->newest = h2o_encoder_next(&mcu->encoder, H2O_SENSORS);
  mcu->sampled[mcu->newest % H2O_FRAMES_REMEMBERED] = sampled;
  if (mcu->remembered < H2O_FRAMES_REMEMBERED) mcu->remembered++;
  if (mcu->since_answered < H2O_FRAMES_REMEMBERED) mcu->since_answered++;

  readings->state = mcu->state;
  readings->command_fresh = mcu->command_fresh;
  readings->answered = mcu->answered;
  readings->faults = mcu->faults;
  const h2o_message message = {.type = H2O_SENSORS, .as = {.sensors = *readings}};
  send(mcu, &message, sampled);
}

void h2o_mcu_set_faults(h2o_mcu *mcu, uint16_t faults, uint32_t now) {
  mcu->faults = faults;
  if (fault_latches(mcu)) latch(mcu, H2O_MCU_STATE_FAULTED, H2O_LATCH_CAUSE_FAULT, now);
}

void h2o_mcu_set_stop_input(h2o_mcu *mcu, bool pressed, uint32_t now) {
  const bool before = mcu->stop_pressed;
  mcu->stop_pressed = pressed;
  if (pressed && !before) latch(mcu, H2O_MCU_STATE_ESTOPPED, H2O_LATCH_CAUSE_ESTOP, now);
}

h2o_drive h2o_mcu_drive(const h2o_mcu *mcu) {
  switch (mcu->state) {
    case H2O_MCU_STATE_ACTIVE:
      return mcu->command_fresh ? H2O_DRIVE_COMMAND : H2O_DRIVE_BRAKE; /* §6.3 */
    case H2O_MCU_STATE_BRAKING:
      return H2O_DRIVE_BRAKE;
    case H2O_MCU_STATE_LIMP:
      return H2O_DRIVE_LIMP;
    case H2O_MCU_STATE_IDLE:
    case H2O_MCU_STATE_ESTOPPED:
    case H2O_MCU_STATE_FAULTED:
      return H2O_DRIVE_OFF;
  }
  return H2O_DRIVE_OFF;
}

uint8_t h2o_mcu_temperature_slot(const h2o_mcu *mcu) {
  return (uint8_t)(h2o_encoder_next(&mcu->encoder, H2O_SENSORS) % 8u);
}

const h2o_command *h2o_mcu_command(const h2o_mcu *mcu) { return &mcu->command; }
