/**
 * What main.c needs of the robot on the board: time, sensors, drives. Here a simulated robot answers (bench/); on yours,
 * your drivers do. SI units; x forward, y left, z up; wheels are left, right; legs left hip, left knee, right hip, right knee.
 */
#ifndef HARDWARE_H
#define HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "h2o_mcu.h"

typedef struct hardware_joints {
  /** [rad] relative to the shank, not wrapped; a float would be too coarse after a hundred metres */
  double wheel_position[2];
  /** [rad/s] relative to the shank */
  float wheel_velocity[2];
  /** [rad] */
  float leg_position[4];
  /** [rad/s] */
  float leg_velocity[4];
} hardware_joints;

typedef struct hardware_imu {
  /** [rad/s] in the body frame */
  float gyro[3];
  /** [m/s²] specific force in the body frame: +9.81 on z at rest upright */
  float acceleration[3];
  /** unit quaternion w, x, y, z, body to world */
  float attitude[4];
} hardware_imu;

/** [N·m] positive wheel torque drives forward */
typedef struct hardware_torques {
  float wheels[2];
  float legs[4];
} hardware_torques;

/** Once, before all else. `mcu` is for the bench alone: it waits for answers. */
void hardware_init(const h2o_mcu *mcu);

/** MCU time [µs], modulo 2^32; from interrupts too. Yours is a counter that never stops: `board_micros`. */
uint32_t hardware_now(void);

/** Sleeps until that MCU time. */
void hardware_wait_until(uint32_t time);

void hardware_read_joints(hardware_joints *joints);
void hardware_read_imu(hardware_imu *imu);

/** What the drives give from now on; from interrupts too, since an e-stop acts there. */
void hardware_set_torques(const hardware_torques *torques);

/** [N·m] what the wheel drives' current sensors say that they give */
void hardware_read_wheel_torques(float measured[2]);

/** H2O_FAULTS_… of drives, encoders, IMU and supply as they are now */
uint16_t hardware_faults(void);

/** The stop button on the robot itself. Its contact opens to stop: a torn wire is a stop. */
bool hardware_stop_pressed(void);

/** [V] */
float hardware_battery(void);

/** [°C] of place 0 to 7 in the order of `temperature` in PROTOCOL.md §13; 255 where none is measured */
uint8_t hardware_temperature(unsigned place);

#endif
