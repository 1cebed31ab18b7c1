/* Generated from messages.yaml by `npm run generate`. Do not edit. */
#include "h2o_messages.h"

#include "h2o_bytes.h"

const h2o_type_info h2o_types[H2O_TYPE_COUNT] = {
    {H2O_HELLO, 52u, H2O_BOTH},
    {H2O_SENSORS, 67u, H2O_MCU_TO_HOST},
    {H2O_COMMAND, 45u, H2O_HOST_TO_MCU},
    {H2O_ESTOP, 1u, H2O_HOST_TO_MCU},
    {H2O_ESTOP_ECHO, 8u, H2O_MCU_TO_HOST},
    {H2O_FAULT, 9u, H2O_MCU_TO_HOST},
    {H2O_CLEAR, 6u, H2O_HOST_TO_MCU},
};

const h2o_hello h2o_hello_default = {0};

static void encode_hello(const h2o_hello *message, uint8_t *payload) {
  h2o_put_u8(payload + 0, message->protocol_version);
  h2o_put_u32(payload + 1, message->schema_hash);
  h2o_put_u32(payload + 5, message->nonce);
  h2o_put_u32(payload + 9, message->peer_nonce);
  h2o_put_u16(payload + 13, message->sensor_rate);
  h2o_put_u16(payload + 15, message->watchdog);
  h2o_put_u16(payload + 17, message->latch);
  h2o_put_u8(payload + 19, (uint8_t)message->latch_cause);
  h2o_put_text(payload + 20, message->name, 16u);
  h2o_put_text(payload + 36, message->revision, 16u);
}

static bool decode_hello(h2o_hello *message, const uint8_t *payload) {
  message->protocol_version = h2o_get_u8(payload + 0);
  message->schema_hash = h2o_get_u32(payload + 1);
  message->nonce = h2o_get_u32(payload + 5);
  message->peer_nonce = h2o_get_u32(payload + 9);
  message->sensor_rate = h2o_get_u16(payload + 13);
  message->watchdog = h2o_get_u16(payload + 15);
  message->latch = h2o_get_u16(payload + 17);
  const unsigned latch_cause_number = h2o_get_u8(payload + 19);
  if (latch_cause_number > 3u) return false;
  message->latch_cause = (h2o_latch_cause)latch_cause_number;
  h2o_get_text(message->name, payload + 20, 16u);
  h2o_get_text(message->revision, payload + 36, 16u);
  return true;
}

const h2o_sensors h2o_sensors_default = {
    .attitude = {32767, 0, 0, 0},
    .temperature = 255,
};

static void encode_sensors(const h2o_sensors *message, uint8_t *payload) {
  h2o_put_u8(payload + 0, (uint8_t)(((unsigned)message->state & 0x07u) << 0 |
                                  (message->has_attitude ? 0x08u : 0u) |
                                  (message->has_wheel_torque ? 0x10u : 0u) |
                                  (message->has_legs ? 0x20u : 0u) |
                                  (message->command_fresh ? 0x40u : 0u)));
  h2o_put_u16(payload + 1, message->answered);
  for (int i = 0; i < 3; i++) h2o_put_i16(payload + 3 + 2 * i, message->gyro[i]);
  for (int i = 0; i < 3; i++) h2o_put_i16(payload + 9 + 2 * i, message->acceleration[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 15 + 2 * i, message->attitude[i]);
  for (int i = 0; i < 2; i++) h2o_put_i32(payload + 23 + 4 * i, message->wheel_position[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 31 + 2 * i, message->leg_position[i]);
  for (int i = 0; i < 2; i++) h2o_put_i16(payload + 39 + 2 * i, message->wheel_velocity[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 43 + 2 * i, message->leg_velocity[i]);
  for (int i = 0; i < 2; i++) h2o_put_i16(payload + 51 + 2 * i, message->wheel_torque_applied[i]);
  for (int i = 0; i < 2; i++) h2o_put_i16(payload + 55 + 2 * i, message->wheel_torque_measured[i]);
  for (int i = 0; i < 4; i++) h2o_put_i8(payload + 59 + i, message->leg_torque[i]);
  h2o_put_u16(payload + 63, message->faults);
  h2o_put_u8(payload + 65, message->battery);
  h2o_put_u8(payload + 66, message->temperature);
}

static bool decode_sensors(h2o_sensors *message, const uint8_t *payload) {
  const unsigned status = h2o_get_u8(payload + 0);
  const unsigned state_number = (status >> 0) & 0x07u;
  if (state_number > 5u) return false;
  message->state = (h2o_mcu_state)state_number;
  message->has_attitude = (status & 0x08u) != 0u;
  message->has_wheel_torque = (status & 0x10u) != 0u;
  message->has_legs = (status & 0x20u) != 0u;
  message->command_fresh = (status & 0x40u) != 0u;
  message->answered = h2o_get_u16(payload + 1);
  for (int i = 0; i < 3; i++) message->gyro[i] = h2o_get_i16(payload + 3 + 2 * i);
  for (int i = 0; i < 3; i++) message->acceleration[i] = h2o_get_i16(payload + 9 + 2 * i);
  for (int i = 0; i < 4; i++) message->attitude[i] = h2o_get_i16(payload + 15 + 2 * i);
  for (int i = 0; i < 2; i++) message->wheel_position[i] = h2o_get_i32(payload + 23 + 4 * i);
  for (int i = 0; i < 4; i++) message->leg_position[i] = h2o_get_i16(payload + 31 + 2 * i);
  for (int i = 0; i < 2; i++) message->wheel_velocity[i] = h2o_get_i16(payload + 39 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_velocity[i] = h2o_get_i16(payload + 43 + 2 * i);
  for (int i = 0; i < 2; i++) message->wheel_torque_applied[i] = h2o_get_i16(payload + 51 + 2 * i);
  for (int i = 0; i < 2; i++) message->wheel_torque_measured[i] = h2o_get_i16(payload + 55 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_torque[i] = h2o_get_i8(payload + 59 + i);
  message->faults = h2o_get_u16(payload + 63);
  message->battery = h2o_get_u8(payload + 65);
  message->temperature = h2o_get_u8(payload + 66);
  return true;
}

const h2o_command h2o_command_default = {0};

static void encode_command(const h2o_command *message, uint8_t *payload) {
  h2o_put_u32(payload + 0, message->session);
  h2o_put_u16(payload + 4, message->answers);
  h2o_put_u16(payload + 6, message->time_to_live);
  h2o_put_u8(payload + 8, (uint8_t)message->requested_state);
  for (int i = 0; i < 2; i++) h2o_put_i16(payload + 9 + 2 * i, message->wheel_torque[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 13 + 2 * i, message->leg_position[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 21 + 2 * i, message->leg_velocity[i]);
  for (int i = 0; i < 4; i++) h2o_put_i16(payload + 29 + 2 * i, message->leg_torque[i]);
  for (int i = 0; i < 4; i++) h2o_put_u8(payload + 37 + i, message->leg_stiffness[i]);
  for (int i = 0; i < 4; i++) h2o_put_u8(payload + 41 + i, message->leg_damping[i]);
}

static bool decode_command(h2o_command *message, const uint8_t *payload) {
  message->session = h2o_get_u32(payload + 0);
  message->answers = h2o_get_u16(payload + 4);
  message->time_to_live = h2o_get_u16(payload + 6);
  const unsigned requested_state_number = h2o_get_u8(payload + 8);
  if (requested_state_number > 3u) return false;
  message->requested_state = (h2o_requested_state)requested_state_number;
  for (int i = 0; i < 2; i++) message->wheel_torque[i] = h2o_get_i16(payload + 9 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_position[i] = h2o_get_i16(payload + 13 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_velocity[i] = h2o_get_i16(payload + 21 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_torque[i] = h2o_get_i16(payload + 29 + 2 * i);
  for (int i = 0; i < 4; i++) message->leg_stiffness[i] = h2o_get_u8(payload + 37 + i);
  for (int i = 0; i < 4; i++) message->leg_damping[i] = h2o_get_u8(payload + 41 + i);
  return true;
}

const h2o_estop h2o_estop_default = {0};

static void encode_estop(const h2o_estop *message, uint8_t *payload) {
  h2o_put_u8(payload + 0, message->reason);
}

static bool decode_estop(h2o_estop *message, const uint8_t *payload) {
  message->reason = h2o_get_u8(payload + 0);
  return true;
}

const h2o_estop_echo h2o_estop_echo_default = {0};

static void encode_estop_echo(const h2o_estop_echo *message, uint8_t *payload) {
  h2o_put_u16(payload + 0, message->latch);
  h2o_put_u32(payload + 2, message->latched_at);
  h2o_put_u16(payload + 6, message->estop_sequence);
}

static bool decode_estop_echo(h2o_estop_echo *message, const uint8_t *payload) {
  message->latch = h2o_get_u16(payload + 0);
  message->latched_at = h2o_get_u32(payload + 2);
  message->estop_sequence = h2o_get_u16(payload + 6);
  return true;
}

const h2o_fault h2o_fault_default = {0};

static void encode_fault(const h2o_fault *message, uint8_t *payload) {
  h2o_put_u16(payload + 0, message->latch);
  h2o_put_u8(payload + 2, (uint8_t)message->cause);
  h2o_put_u16(payload + 3, message->faults);
  h2o_put_u32(payload + 5, message->latched_at);
}

static bool decode_fault(h2o_fault *message, const uint8_t *payload) {
  message->latch = h2o_get_u16(payload + 0);
  const unsigned cause_number = h2o_get_u8(payload + 2);
  if (cause_number > 3u) return false;
  message->cause = (h2o_latch_cause)cause_number;
  message->faults = h2o_get_u16(payload + 3);
  message->latched_at = h2o_get_u32(payload + 5);
  return true;
}

const h2o_clear h2o_clear_default = {0};

static void encode_clear(const h2o_clear *message, uint8_t *payload) {
  h2o_put_u32(payload + 0, message->session);
  h2o_put_u16(payload + 4, message->latch);
}

static bool decode_clear(h2o_clear *message, const uint8_t *payload) {
  message->session = h2o_get_u32(payload + 0);
  message->latch = h2o_get_u16(payload + 4);
  return true;
}

void h2o_encode_payload(const h2o_message *message, uint8_t *payload) {
  switch (message->type) {
    case H2O_HELLO:
      encode_hello(&message->as.hello, payload);
      break;
    case H2O_SENSORS:
      encode_sensors(&message->as.sensors, payload);
      break;
    case H2O_COMMAND:
      encode_command(&message->as.command, payload);
      break;
    case H2O_ESTOP:
      encode_estop(&message->as.estop, payload);
      break;
    case H2O_ESTOP_ECHO:
      encode_estop_echo(&message->as.estop_echo, payload);
      break;
    case H2O_FAULT:
      encode_fault(&message->as.fault, payload);
      break;
    case H2O_CLEAR:
      encode_clear(&message->as.clear, payload);
      break;
  }
}

bool h2o_decode_payload(h2o_message *message, const uint8_t *payload) {
  switch (message->type) {
    case H2O_HELLO:
      return decode_hello(&message->as.hello, payload);
    case H2O_SENSORS:
      return decode_sensors(&message->as.sensors, payload);
    case H2O_COMMAND:
      return decode_command(&message->as.command, payload);
    case H2O_ESTOP:
      return decode_estop(&message->as.estop, payload);
    case H2O_ESTOP_ECHO:
      return decode_estop_echo(&message->as.estop_echo, payload);
    case H2O_FAULT:
      return decode_fault(&message->as.fault, payload);
    case H2O_CLEAR:
      return decode_clear(&message->as.clear, payload);
  }
  return false;
}
