#include "motors.h"

#include "robot.h"

const hardware_torques motors_off = {{0.0f, 0.0f}, {0.0f, 0.0f, 0.0f, 0.0f}};

/** §5: "the last set-points" of legs that are held; those of a command that only asks to brake may be anything. */
static float held[4] = {HIP_STANCE, KNEE_STANCE, HIP_STANCE, KNEE_STANCE};

static float saturated(float value, float limit) {
  if (value > limit) return limit;
  if (value < -limit) return -limit;
  return value;
}

static void drive_as_commanded(const h2o_command *command, const hardware_joints *joints, hardware_torques *torques) {
  for (int side = 0; side < 2; side++) {
    torques->wheels[side] = (float)command->wheel_torque[side] * H2O_COMMAND_WHEEL_TORQUE_RESOLUTION;
  }
  for (int joint = 0; joint < 4; joint++) {
    held[joint] = (float)command->leg_position[joint] * H2O_COMMAND_LEG_POSITION_RESOLUTION;
    const float velocity = (float)command->leg_velocity[joint] * H2O_COMMAND_LEG_VELOCITY_RESOLUTION;
    const float damping = (float)command->leg_damping[joint] * H2O_COMMAND_LEG_DAMPING_RESOLUTION;
    torques->legs[joint] = (float)command->leg_torque[joint] * H2O_COMMAND_LEG_TORQUE_RESOLUTION +
                           (float)command->leg_stiffness[joint] * (held[joint] - joints->leg_position[joint]) +
                           damping * (velocity - joints->leg_velocity[joint]);
  }
}

static void brake(const hardware_joints *joints, hardware_torques *torques) {
  for (int side = 0; side < 2; side++) torques->wheels[side] = -BRAKE_DAMPING * joints->wheel_velocity[side];
  for (int joint = 0; joint < 4; joint++) {
    torques->legs[joint] =
        LEG_STIFFNESS * (held[joint] - joints->leg_position[joint]) - LEG_DAMPING * joints->leg_velocity[joint];
  }
}

hardware_torques motors_torques(h2o_drive drive, const h2o_command *command, const hardware_joints *joints) {
  hardware_torques torques = motors_off;
  switch (drive) {
    case H2O_DRIVE_OFF:
      break;
    case H2O_DRIVE_COMMAND:
      drive_as_commanded(command, joints, &torques);
      break;
    case H2O_DRIVE_BRAKE:
      brake(joints, &torques);
      break;
    case H2O_DRIVE_LIMP:
      for (int joint = 0; joint < 4; joint++) torques.legs[joint] = -LIMP_DAMPING * joints->leg_velocity[joint];
      break;
  }
  for (int side = 0; side < 2; side++) torques.wheels[side] = saturated(torques.wheels[side], WHEEL_TORQUE_PEAK);
  for (int joint = 0; joint < 4; joint++) torques.legs[joint] = saturated(torques.legs[joint], LEG_TORQUE_LIMIT);
  return torques;
}

/* ---- what was applied ---------------------------------------------------------------------------------------------- */

typedef struct span {
  hardware_torques torques;
  unsigned steps;
} span;

static span now, longest;

static void end_span(void) {
  if (now.steps >= longest.steps) longest = now;
  now.steps = 0;
}

void motors_record(const hardware_torques *torques) {
  /* Not `!=`, of which compilers warn for floats: the same or not the same is what is meant. */
  const float *const before = now.torques.wheels;
  const float *const after = torques->wheels;
  const bool differs = after[0] < before[0] || after[0] > before[0] || after[1] < before[1] || after[1] > before[1];
  if (differs) end_span();
  now.torques = *torques;
  now.steps++;
}

hardware_torques motors_applied(void) {
  end_span();
  longest.steps = 0;
  return longest.torques;
}
