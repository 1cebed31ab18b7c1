/** What the example firmware's drives give in each state (PROTOCOL.md §5). Ends with 0 if all is as it should be. */
#include "motors.h"

#include <stdio.h>

#include "robot.h"

static int problems = 0;

static void expect(bool so, const char *what) {
  if (so) return;
  printf("%s\n", what);
  problems++;
}

static bool near(float a, float b) { return a - b < 1e-4f && b - a < 1e-4f; }

static bool is_off(const hardware_torques *torques) {
  bool off = true;
  for (int side = 0; side < 2; side++) off = off && near(torques->wheels[side], 0.0f);
  for (int joint = 0; joint < 4; joint++) off = off && near(torques->legs[joint], 0.0f);
  return off;
}

int main(void) {
  h2o_command command = h2o_command_default;
  hardware_joints joints = {{0.0, 0.0}, {0.0f, 0.0f}, {HIP_STANCE, KNEE_STANCE, HIP_STANCE, KNEE_STANCE}, {0.0f}};
  hardware_torques torques;

  /* Held in stance before the first command. */
  torques = motors_torques(H2O_DRIVE_BRAKE, &command, &joints);
  expect(is_off(&torques), "braking at rest in stance needs no torque");

  command.wheel_torque[0] = 500;
  command.wheel_torque[1] = -500;
  for (int joint = 0; joint < 4; joint++) {
    command.leg_position[joint] = (int16_t)(1000 * (joint + 1));
    command.leg_stiffness[joint] = 20;
    joints.leg_position[joint] = 0.1f * (float)(joint + 1);
  }
  torques = motors_torques(H2O_DRIVE_COMMAND, &command, &joints);
  expect(near(torques.wheels[0], 0.5f) && near(torques.wheels[1], -0.5f), "a command's wheel torques are given");
  expect(near(torques.legs[0], 0.0f) && near(torques.legs[3], 0.0f), "at its set-points a leg needs no torque");

  /* §5.4: what only asks to brake does not move the set-points. */
  h2o_command nothing = h2o_command_default;
  joints.wheel_velocity[0] = 2.0f;
  torques = motors_torques(H2O_DRIVE_BRAKE, &nothing, &joints);
  expect(near(torques.wheels[0], -2.0f * BRAKE_DAMPING) && near(torques.wheels[1], 0.0f), "braking damps the wheels");
  expect(near(torques.legs[0], 0.0f) && near(torques.legs[3], 0.0f), "braking holds the last set-points applied");
  joints.leg_position[0] += 0.01f;
  torques = motors_torques(H2O_DRIVE_BRAKE, &nothing, &joints);
  expect(near(torques.legs[0], -0.01f * LEG_STIFFNESS), "braking holds the legs by the motor controller's own gains");

  joints.leg_velocity[2] = 0.5f;
  torques = motors_torques(H2O_DRIVE_LIMP, &command, &joints);
  expect(near(torques.wheels[0], 0.0f) && near(torques.wheels[1], 0.0f), "limp leaves the wheels off");
  expect(near(torques.legs[2], -0.5f * LIMP_DAMPING) && near(torques.legs[0], 0.0f), "limp damps the legs");

  torques = motors_torques(H2O_DRIVE_OFF, &command, &joints);
  expect(is_off(&torques), "off is off, whatever the last command was");

  command.wheel_torque[0] = INT16_MAX;
  command.wheel_torque[1] = INT16_MIN;
  for (int joint = 0; joint < 4; joint++) command.leg_torque[joint] = INT16_MAX;
  torques = motors_torques(H2O_DRIVE_COMMAND, &command, &joints);
  expect(near(torques.wheels[0], WHEEL_TORQUE_PEAK) && near(torques.wheels[1], -WHEEL_TORQUE_PEAK), "§5.3: wheels saturate");
  expect(near(torques.legs[0], LEG_TORQUE_LIMIT), "§5.3: legs saturate");

  /* What was applied: the longest, of equals the latest. */
  (void)motors_applied();
  hardware_torques first = motors_off;
  hardware_torques second = motors_off;
  first.wheels[0] = 1.0f;
  second.wheels[0] = 2.0f;
  for (int step = 0; step < 2; step++) motors_record(&first);
  for (int step = 0; step < 2; step++) motors_record(&second);
  motors_record(&first);
  expect(near(motors_applied().wheels[0], 2.0f), "what was applied is what was in force longest, of equals the latest");

  printf("%d problems\n", problems);
  return problems == 0 ? 0 : 1;
}
