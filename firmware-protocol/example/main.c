/**
 * A motor controller that speaks PROTOCOL.md, whole: what is not here is h2o_mcu.c's, board.c's or the robot's own.
 *
 * Bytes from the host are handled in the receive interrupt. Everything else happens once a millisecond in the loop.
 */
#include "board.h"
#include "h2o_mcu.h"
#include "hardware.h"
#include "motors.h"
#include "robot.h"

#define STEP_MICROS 1000u
#define STEPS_PER_SAMPLE (1000000u / SENSOR_RATE / STEP_MICROS)

static h2o_mcu mcu;

/* ---- from the receive interrupt ------------------------------------------------------------------------------------ */

static void on_byte(uint8_t byte) { h2o_mcu_receive(&mcu, byte, hardware_now()); }

static void send(void *context, const uint8_t *bytes, size_t length) {
  (void)context;
  (void)board_uart_send(BOARD_UART_HOST, bytes, length); /* a frame that does not fit is counted there, and lost */
}

/** §8.1: in the turn in which the last byte of an `estop` arrives. */
static void torque_off(void *context) {
  (void)context;
  hardware_set_torques(&motors_off);
}

/* ---- once a millisecond -------------------------------------------------------------------------------------------- */

/**
 * State machine and drives. Under lock as a whole: an e-stop that came between the question what to do and its answer
 * would have its torque switched on again.
 */
static void control(const hardware_joints *joints) {
  const uint32_t lock = board_lock();
  const uint32_t now = hardware_now();
  h2o_mcu_set_faults(&mcu, hardware_faults(), now);
  h2o_mcu_set_stop_input(&mcu, hardware_stop_pressed(), now);
  h2o_mcu_tick(&mcu, now);
  const hardware_torques torques = motors_torques(h2o_mcu_drive(&mcu), h2o_mcu_command(&mcu), joints);
  hardware_set_torques(&torques);
  motors_record(&torques);
  board_unlock(lock);
}

static void sample(const hardware_joints *joints) {
  /* When the readings were taken, and not when the frame is sent: the host's answer ages from here. */
  const uint32_t sampled = hardware_now();
  hardware_imu imu;
  hardware_read_imu(&imu);
  const hardware_torques applied = motors_applied();
  float measured[2];
  hardware_read_wheel_torques(measured);

  h2o_sensors readings = h2o_sensors_default;
  readings.has_attitude = true;
  readings.has_wheel_torque = true;
  readings.has_legs = true;
  for (int axis = 0; axis < 3; axis++) {
    readings.gyro[axis] = h2o_raw_i16(imu.gyro[axis], H2O_SENSORS_GYRO_RESOLUTION);
    readings.acceleration[axis] = h2o_raw_i16(imu.acceleration[axis], H2O_SENSORS_ACCELERATION_RESOLUTION);
  }
  for (int part = 0; part < 4; part++) {
    readings.attitude[part] = h2o_raw_i16(imu.attitude[part], H2O_SENSORS_ATTITUDE_RESOLUTION);
  }
  for (int side = 0; side < 2; side++) {
    /* In double, a float has 24 bits. An encoder that counts needs neither. */
    readings.wheel_position[side] =
        h2o_raw_i32(joints->wheel_position[side], (double)H2O_SENSORS_WHEEL_POSITION_RESOLUTION);
    readings.wheel_velocity[side] =
        h2o_raw_i16(joints->wheel_velocity[side], H2O_SENSORS_WHEEL_VELOCITY_RESOLUTION);
    readings.wheel_torque_applied[side] = h2o_raw_i16(applied.wheels[side], H2O_SENSORS_WHEEL_TORQUE_APPLIED_RESOLUTION);
    readings.wheel_torque_measured[side] = h2o_raw_i16(measured[side], H2O_SENSORS_WHEEL_TORQUE_MEASURED_RESOLUTION);
  }
  for (int joint = 0; joint < 4; joint++) {
    readings.leg_position[joint] = h2o_raw_i16(joints->leg_position[joint], H2O_SENSORS_LEG_POSITION_RESOLUTION);
    readings.leg_velocity[joint] = h2o_raw_i16(joints->leg_velocity[joint], H2O_SENSORS_LEG_VELOCITY_RESOLUTION);
    readings.leg_torque[joint] = h2o_raw_i8(applied.legs[joint], H2O_SENSORS_LEG_TORQUE_RESOLUTION);
  }
  readings.battery = h2o_raw_u8(hardware_battery(), H2O_SENSORS_BATTERY_RESOLUTION);

  const uint32_t lock = board_lock();
  readings.temperature = hardware_temperature(h2o_mcu_temperature_slot(&mcu));
  h2o_mcu_sample(&mcu, &readings, sampled);
  board_unlock(lock);
}

int main(void) {
  board_init();
  hardware_init(&mcu);

  const h2o_mcu_config config = {
      .name = ROBOT_NAME,
      .revision = "example 1",
      .sensor_rate = SENSOR_RATE,
      .watchdog = WATCHDOG,
      .nonce = board_random(),
      .send = send,
      .torque_off = torque_off,
  };
  const uint32_t lock = board_lock();
  board_uart_open(BOARD_UART_HOST, on_byte);
  h2o_mcu_boot(&mcu, &config, hardware_now());
  board_unlock(lock);

  /* Feed your chip's watchdog in this loop: the interrupt goes on taking commands when the loop hangs. */
  uint32_t due = hardware_now();
  for (uint32_t step = 1;; step++) {
    due += STEP_MICROS;
    hardware_wait_until(due);
    /* Late by a step or more: that time is lost, it is not caught up with a burst. */
    const uint32_t late = hardware_now() - due;
    if (late >= STEP_MICROS) due += late;

    hardware_joints joints;
    hardware_read_joints(&joints);
    control(&joints);
    if (step % STEPS_PER_SAMPLE == 0u) sample(&joints);
  }
}
