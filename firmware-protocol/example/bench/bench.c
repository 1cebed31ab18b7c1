/**
 * hardware.h, answered by a simulated robot in simulated time. Leave this folder out of your firmware.
 *
 * MCU time passes in steps of a millisecond. Once a host commands, it stands still after each `sensors` frame until the
 * answer is there: on a computer that does something else just now, time slips and nothing is late. A host that leaves a
 * frame unanswered for all our patience is dead; it is not waited for again until it commands again, and time then passes as
 * fast as the board's clock, so that watchdog and braking take their course.
 */
#include "board.h"
#include "console.h"
#include "hardware.h"
#include "plant.h"

#define STEP_MICROS 1000u
/* By the board's clock, which is that of the computer around it. */
#define PATIENCE_MICROS 20000000u
/* Further behind the board's clock than this, time is lost instead of caught up. */
#define LATE_MICROS 5000

static const h2o_mcu *mcu;
static uint32_t mcu_time;
static hardware_torques torques;
static bench_counters counters;

/* ---- orders from the console --------------------------------------------------------------------------------------- */

/* Each is one word, set in the interrupt and taken by the loop. */
static volatile bool lift_ordered;
static volatile bool push_ordered;
static volatile bool crash_ordered;
static volatile bool stop_pressed;
static volatile uint16_t faults;
/** nonce of a host that is known to be dead: there is no need to find out by patience */
static volatile uint32_t dead_host;

static void on_order(uint8_t letter) {
  if (letter == 'l') lift_ordered = true;
  if (letter == 'p') push_ordered = true;
  if (letter == 'x') crash_ordered = true;
  if (letter == 's') stop_pressed = true;
  if (letter == 'r') stop_pressed = false;
  if (letter == 'f') faults = H2O_FAULTS_LEFT_WHEEL_DRIVE;
  if (letter == 'c') faults = 0;
  if (letter == 'd') dead_host = mcu->host;
}

static void obey(void) {
  if (lift_ordered) {
    lift_ordered = false;
    plant_lift();
  }
  if (push_ordered) {
    push_ordered = false;
    plant_push();
  }
  if (crash_ordered) __asm__ volatile("udf #0");
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

static bool newest_is_answered(void) { return mcu->since_answered == 0u; }

/** The host in charge commands; also one whose commands come too late to be obeyed. */
static bool host_answers(void) {
  static uint32_t host;
  static uint32_t received;
  static uint32_t expired;
  static uint32_t unanswered;
  static bool answers;
  if (mcu->host != host || counters.unanswered != unanswered) answers = false;
  if (mcu->command_received != received || mcu->rejected.expired != expired) answers = true;
  if (mcu->host == dead_host) answers = false;
  host = mcu->host;
  received = mcu->command_received;
  expired = mcu->rejected.expired;
  unanswered = counters.unanswered;
  return answers;
}

/** Until the next millisecond may pass. */
static void wait_for_turn(void) {
  static uint32_t due; /* by the board's clock, when nobody is waited for */
  const uint32_t began = board_micros();
  bool waited = false;
  due += STEP_MICROS;
  for (;;) {
    const uint32_t lock = board_lock();
    const uint32_t now = board_micros();
    const bool answers = host_answers();
    const bool answered = answers && newest_is_answered();
    const bool impatient = answers && !answered && now - began >= PATIENCE_MICROS;
    const int32_t late = (int32_t)(now - due);
    const bool in_time = !answers && late >= 0;
    if (answered && waited) {
      counters.answers++;
      counters.round_trip = now - began;
    }
    if (impatient) counters.unanswered++;
    if (in_time && late > LATE_MICROS) counters.slips++;
    /* Should nobody be waited for any more, the pace goes on from here; nor is time caught up that was lost. */
    if (answers || late > LATE_MICROS) due = now;
    waited = answers;
    if (!answered && !impatient && !in_time) board_sleep();
    board_unlock(lock);
    if (answered || impatient || in_time) return;
  }
}

/* ---- hardware.h ---------------------------------------------------------------------------------------------------- */

void hardware_init(const h2o_mcu *watched) {
  mcu = watched;
  plant_init();
  console_init(on_order);
}

uint32_t hardware_now(void) { return mcu_time; }

void hardware_wait_until(uint32_t time) {
  while (mcu_time != time) {
    wait_for_turn();
    obey();
    const uint32_t lock = board_lock();
    plant_step(&torques, mcu->state == H2O_MCU_STATE_ACTIVE);
    mcu_time += STEP_MICROS;
    board_unlock(lock);
    const plant_truth truth = plant_look();
    console_step(mcu, &truth, &counters, mcu_time);
  }
}

void hardware_read_joints(hardware_joints *joints) { plant_read_joints(joints); }
void hardware_read_imu(hardware_imu *imu) { plant_read_imu(imu); }

void hardware_set_torques(const hardware_torques *wanted) { torques = *wanted; }

void hardware_read_wheel_torques(float measured[2]) {
  const float total = plant_look().torque;
  for (int side = 0; side < 2; side++) measured[side] = total / 2.0f;
}

uint16_t hardware_faults(void) { return faults; }
bool hardware_stop_pressed(void) { return stop_pressed; }
float hardware_battery(void) { return 24.0f; }

uint8_t hardware_temperature(unsigned place) {
  (void)place;
  return 35;
}
