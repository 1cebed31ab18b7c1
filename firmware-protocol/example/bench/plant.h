/**
 * The robot, simulated: a wheeled pendulum in its plane, not linearised, its legs locked in stance, a floor to fall on and a
 * hand that holds it until it balances. Not part of a firmware.
 */
#ifndef PLANT_H
#define PLANT_H

#include <stdbool.h>

#include "hardware.h"

/** What no sensor tells. */
typedef struct plant_truth {
  /** [m] */
  double x;
  /** [m/s] */
  float speed;
  /** [rad] positive leans forward */
  float pitch;
  /** [N·m] of both wheels, as delivered */
  float torque;
  /** a hand holds it */
  bool held;
} plant_truth;

/** In stance, at rest, held. */
void plant_init(void);

/** A millisecond with these torques. `active`: the hand lets go. */
void plant_step(const hardware_torques *torques, bool active);

/** Somebody takes it, from wherever it lies, and holds it upright at the place where it is. Takes a second. */
void plant_lift(void);

/** Somebody gives it a shove forward. */
void plant_push(void);

void plant_read_joints(hardware_joints *joints);

/** With noise. */
void plant_read_imu(hardware_imu *imu);

plant_truth plant_look(void);

#endif
