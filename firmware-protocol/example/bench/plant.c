#include "plant.h"

#include <stdint.h>

#include "robot.h"

/* Of the robot file; a test compares. */
#define BODY_MASS 11.0f             /* kg */
#define CENTER_OF_MASS_HEIGHT 0.227f /* m, above the axle */
#define PITCH_INERTIA 0.0972f       /* kg·m² */
#define WHEEL_RADIUS 0.065f         /* m */
#define WHEEL_MASS 0.5f             /* kg */
#define WHEEL_INERTIA 0.00151f      /* kg·m² */
#define DRY_FRICTION 0.03f          /* N·m, each wheel */
#define ACTUATION_DELAY 5u          /* ms, from a torque's command to the torque */
#define GYRO_NOISE 0.01f            /* rad/s */
#define ACCELERATION_NOISE 0.05f    /* m/s² */
#define ATTITUDE_NOISE 0.001f       /* rad */

#define GRAVITY 9.80665f
#define IMU_HEIGHT 0.25f /* m, above the axle */

/*
 * M x'' + h cos(p) p'' = T/R + h sin(p) p'^2 + Fx        M = mb + 2 mw + 2 Jw/R^2,  h = mb l
 * h cos(p) x'' + I p'' = G sin(p) - T + Fp               I = Jb + mb l^2,           G = mb g l
 */
#define ROLLING_MASS (BODY_MASS + 2.0f * WHEEL_MASS + 2.0f * WHEEL_INERTIA / (WHEEL_RADIUS * WHEEL_RADIUS))
#define COUPLING (BODY_MASS * CENTER_OF_MASS_HEIGHT)
#define INERTIA (PITCH_INERTIA + BODY_MASS * CENTER_OF_MASS_HEIGHT * CENTER_OF_MASS_HEIGHT)
#define TOPPLING (BODY_MASS * GRAVITY * CENTER_OF_MASS_HEIGHT)

#define SUBSTEPS 4
#define SUBSTEP (0.001f / (float)SUBSTEPS)

static struct {
  double x;
  float speed;
  float pitch;
  float pitch_rate;
  /* of the last substep, for the accelerometer */
  float acceleration;
  float pitch_acceleration;
  float torque;
} body;

/** Torques on their way to the motors, both wheels together. */
static float on_the_way[ACTUATION_DELAY];

/* ---- numbers without a library ------------------------------------------------------------------------------------- */

/* Taylor's; 4e-6 off at most up to 1.6 rad, and the floor lets it lean no further. */
static float sine(float a) {
  const float s = a * a;
  return a * (1.0f - s / 6.0f * (1.0f - s / 20.0f * (1.0f - s / 42.0f * (1.0f - s / 72.0f))));
}

static float cosine(float a) {
  const float s = a * a;
  return 1.0f - s / 2.0f * (1.0f - s / 12.0f * (1.0f - s / 30.0f * (1.0f - s / 56.0f * (1.0f - s / 90.0f))));
}

static float magnitude(float a) { return a < 0.0f ? -a : a; }

/** Mean 0, that standard deviation, within 1.7 of it. */
static float noise(float deviation) {
  static uint32_t state = 1u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return deviation * 3.4641f * ((float)(state >> 8) / 16777216.0f - 0.5f);
}

/* ---- what else touches it ------------------------------------------------------------------------------------------ */

typedef struct forces {
  /** [N] forward */
  float along;
  /** [N·m] forward over */
  float over;
} forces;

/* Where a lean ends: the body lies on the floor. */
#define FLOOR 1.4f

static forces of_floor(void) {
  const float beyond = magnitude(body.pitch) - FLOOR;
  if (beyond <= 0.0f) return (forces){0.0f, 0.0f};
  const float sign = body.pitch > 0.0f ? 1.0f : -1.0f;
  const float press = 2000.0f * beyond + 40.0f * sign * body.pitch_rate;
  return (forces){-40.0f * body.speed, press > 0.0f ? -sign * press : 0.0f};
}

/* Nobody holds a robot quite straight. */
#define HELD_PITCH 0.03f
#define LIFT_SECONDS 1.0f
#define RELEASE_SECONDS 0.2f

static struct {
  /** 1 holds, 0 is away */
  float grip;
  bool releasing;
  /** [s] since it began to lift */
  float lifting;
  double x;
  float from;
} hand;

static void take_hold(float lifting) {
  hand.grip = 1.0f;
  hand.releasing = false;
  hand.lifting = lifting;
  hand.x = body.x;
  hand.from = body.pitch;
}

static forces of_hand(void) {
  const float part = hand.lifting / LIFT_SECONDS;
  const float raised = part * part * (3.0f - 2.0f * part);
  const float pitch = hand.from + (HELD_PITCH - hand.from) * raised;
  return (forces){
      hand.grip * (-2000.0f * (float)(body.x - hand.x) - 300.0f * body.speed),
      hand.grip * (-300.0f * (body.pitch - pitch) - 25.0f * body.pitch_rate),
  };
}

static void move_hand(bool active) {
  if (hand.lifting < LIFT_SECONDS) {
    hand.lifting += 0.001f;
    return;
  }
  hand.lifting = LIFT_SECONDS;
  if (active) hand.releasing = true;
  if (hand.releasing && hand.grip > 0.0f) hand.grip -= 0.001f / RELEASE_SECONDS;
  if (hand.grip < 0.0f) hand.grip = 0.0f;
}

#define PUSH_NEWTONS 10.0f
#define PUSH_STEPS 200u

static unsigned push_steps;

/* ---- motion -------------------------------------------------------------------------------------------------------- */

static void move(float torque, float push) {
  const float slip = body.speed / WHEEL_RADIUS - body.pitch_rate; /* [rad/s] wheel against body */
  const float acting = torque - 2.0f * DRY_FRICTION * slip / (magnitude(slip) + 0.02f);
  const forces floor = of_floor();
  const forces held = of_hand();
  const float c = COUPLING * cosine(body.pitch);
  const float s = sine(body.pitch);
  const float forward =
      acting / WHEEL_RADIUS + COUPLING * s * body.pitch_rate * body.pitch_rate + floor.along + held.along + push;
  const float over = TOPPLING * s - acting + floor.over + held.over;
  const float determinant = ROLLING_MASS * INERTIA - c * c;
  body.acceleration = (INERTIA * forward - c * over) / determinant;
  body.pitch_acceleration = (ROLLING_MASS * over - c * forward) / determinant;
  body.speed += SUBSTEP * body.acceleration;
  body.pitch_rate += SUBSTEP * body.pitch_acceleration;
  body.x += (double)(SUBSTEP * body.speed);
  body.pitch += SUBSTEP * body.pitch_rate;
}

void plant_init(void) {
  body.pitch = HELD_PITCH;
  take_hold(LIFT_SECONDS);
}

void plant_step(const hardware_torques *torques, bool active) {
  body.torque = on_the_way[0];
  for (unsigned i = 1; i < ACTUATION_DELAY; i++) on_the_way[i - 1u] = on_the_way[i];
  on_the_way[ACTUATION_DELAY - 1u] = torques->wheels[0] + torques->wheels[1];

  move_hand(active);
  const float push = push_steps > 0u ? PUSH_NEWTONS : 0.0f;
  if (push_steps > 0u) push_steps--;
  for (int i = 0; i < SUBSTEPS; i++) move(body.torque, push);
}

void plant_lift(void) { take_hold(0.0f); }

void plant_push(void) { push_steps = PUSH_STEPS; }

/* ---- sensors ------------------------------------------------------------------------------------------------------- */

void plant_read_joints(hardware_joints *joints) {
  /* Wheel against shank, shank against thigh, thigh against body, body against the world: their sum has rolled to x. */
  const double rolled = body.x / (double)WHEEL_RADIUS;
  const double wheel = rolled - (double)(body.pitch + HIP_STANCE + KNEE_STANCE);
  for (int side = 0; side < 2; side++) {
    joints->wheel_position[side] = wheel;
    joints->wheel_velocity[side] = body.speed / WHEEL_RADIUS - body.pitch_rate;
    joints->leg_position[2 * side] = HIP_STANCE;
    joints->leg_position[2 * side + 1] = KNEE_STANCE;
  }
  for (int joint = 0; joint < 4; joint++) joints->leg_velocity[joint] = 0.0f;
}

void plant_read_imu(hardware_imu *imu) {
  imu->gyro[0] = noise(GYRO_NOISE);
  imu->gyro[1] = body.pitch_rate + noise(GYRO_NOISE);
  imu->gyro[2] = noise(GYRO_NOISE);

  /* Where the IMU sits: its acceleration less gravity's, in the world, then seen from the body. */
  const float s = sine(body.pitch);
  const float c = cosine(body.pitch);
  const float rate_squared = body.pitch_rate * body.pitch_rate;
  const float forward = body.acceleration + IMU_HEIGHT * (c * body.pitch_acceleration - s * rate_squared);
  const float up = GRAVITY - IMU_HEIGHT * (s * body.pitch_acceleration + c * rate_squared);
  imu->acceleration[0] = c * forward - s * up + noise(ACCELERATION_NOISE);
  imu->acceleration[1] = noise(ACCELERATION_NOISE);
  imu->acceleration[2] = s * forward + c * up + noise(ACCELERATION_NOISE);

  const float half = (body.pitch + noise(ATTITUDE_NOISE)) / 2.0f;
  imu->attitude[0] = cosine(half);
  imu->attitude[1] = 0.0f;
  imu->attitude[2] = sine(half);
  imu->attitude[3] = 0.0f;
}

plant_truth plant_look(void) {
  return (plant_truth){
      .x = body.x,
      .speed = body.speed,
      .pitch = body.pitch,
      .torque = body.torque,
      .held = hand.grip > 0.0f,
  };
}
