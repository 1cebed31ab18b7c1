/**
 * The motor controller's end of PROTOCOL.md §4 to §8: session, state machine, commands with their time to live, watchdog,
 * latches and e-stop. It knows no hardware: bytes and times come in, bytes and what the drives shall do come out.
 *
 * Three calls, which must not interrupt each other (one priority, or interrupts masked around the slower ones):
 *   h2o_mcu_receive  for each byte, from the receive interrupt: an e-stop acts there, not in the next round of a loop
 *   h2o_mcu_tick     once a millisecond or faster, before the drives are given their torque
 *   h2o_mcu_sample   once per sensor period, with the readings
 *
 * `now` is a free-running counter [µs] that wraps at 2^32. Count no interrupts for it: one that is late is one that is lost.
 */
#ifndef H2O_MCU_H
#define H2O_MCU_H

#include "h2o_clock.h"
#include "h2o_link.h"

/** A command may answer one of so many latest `sensors` frames (§6.1). A power of two. */
#define H2O_FRAMES_REMEMBERED 64u

typedef struct h2o_mcu_config {
  /** the robot that this MCU drives, as the host's robot file names it */
  const char *name;
  /** firmware version */
  const char *revision;
  /** [Hz] of `sensors` */
  uint16_t sensor_rate;
  /** [ms] without a valid command until it brakes, latched (§6.5) */
  uint16_t watchdog;
  /** random, not 0, another one at each boot (§4.2) */
  uint32_t nonce;
  /** Takes the bytes of one frame for the line; may be called from each of the three calls above. */
  void (*send)(void *context, const uint8_t *bytes, size_t length);
  /** Cuts the torque now (§8.1); may be NULL if the caller looks at `h2o_mcu_drive` after each byte. */
  void (*torque_off)(void *context);
  void *context;
} h2o_mcu_config;

/** Why valid frames had no effect (§6.1). */
typedef struct h2o_rejected {
  uint32_t wrong_session;
  uint32_t unknown_answer;
  uint32_t stale_answer;
  uint32_t expired;
  /** valid, but requests active in a state from which that is not entered */
  uint32_t not_allowed;
} h2o_rejected;

/** What the drives shall do now (§5). */
typedef enum h2o_drive {
  /** no torque at all */
  H2O_DRIVE_OFF,
  /** the torques, set-points and gains of `h2o_mcu_command`, saturated to the drives' own limits */
  H2O_DRIVE_COMMAND,
  /** wheels damped to zero velocity, legs held at the last set-points */
  H2O_DRIVE_BRAKE,
  /** wheels off, legs damped */
  H2O_DRIVE_LIMP
} h2o_drive;

/** Read it as you like; change it only through the functions. */
typedef struct h2o_mcu {
  h2o_mcu_config config;
  h2o_decoder decoder;
  h2o_encoder encoder;
  h2o_clock clock;
  h2o_rejected rejected;

  h2o_mcu_state state;
  uint32_t braking_since;
  uint16_t faults;
  bool stop_pressed;

  /** nonce of the host in charge, 0 if none */
  uint32_t host;
  /** the last valid one, of whichever session; its set-points outlive its time to live */
  h2o_command command;
  /** within its time to live, as of the last tick */
  bool command_fresh;
  uint32_t command_sampled;
  uint32_t command_received;
  uint16_t answered;

  /** sampling times of the latest `sensors` frames, by sequence modulo 64 */
  uint32_t sampled[H2O_FRAMES_REMEMBERED];
  uint16_t newest;
  uint8_t remembered;
  /** frames sent since the one that the last valid command answered; stops at H2O_FRAMES_REMEMBERED */
  uint8_t since_answered;

  uint16_t latch;
  h2o_latch_cause latch_cause;
  uint32_t latched_at;
  uint16_t latched_faults;
  uint16_t estop_sequence;
  uint32_t reported_at;
} h2o_mcu;

/** Power on or reset: idle, nothing latched, nobody in charge; a `hello` goes out. */
void h2o_mcu_boot(h2o_mcu *mcu, const h2o_mcu_config *config, uint32_t now);

/** The next byte from the host. */
void h2o_mcu_receive(h2o_mcu *mcu, uint8_t byte, uint32_t now);

/** Time passes: watchdog, time to live, the end of braking, what is repeated. */
void h2o_mcu_tick(h2o_mcu *mcu, uint32_t now);

/**
 * Sends a `sensors` frame. `state`, `command_fresh`, `answered` and `faults` are filled in; all else is the caller's.
 * `sampled`: when the readings were taken.
 */
void h2o_mcu_sample(h2o_mcu *mcu, h2o_sensors *readings, uint32_t sampled);

/** The hardware's fault bits as they are now; call it whenever they change. */
void h2o_mcu_set_faults(h2o_mcu *mcu, uint16_t faults, uint32_t now);

/** The MCU's own stop input; call it whenever it changes. While it is pressed, nothing clears the stop. */
void h2o_mcu_set_stop_input(h2o_mcu *mcu, bool pressed, uint32_t now);

/**
 * Ask, compute the torques and hand them to the drives without an h2o_mcu_receive in between: else an e-stop that comes
 * there would have its torque switched on again.
 */
h2o_drive h2o_mcu_drive(const h2o_mcu *mcu);

/** Which of the eight temperatures the next `sensors` frame carries: 0 to 7, see `temperature` in PROTOCOL.md §13. */
uint8_t h2o_mcu_temperature_slot(const h2o_mcu *mcu);

/**
 * The last valid command; all zero before the first since boot. Legs that are held want the set-points of the last one that
 * was applied (§5.4): keep those of H2O_DRIVE_COMMAND.
 */
const h2o_command *h2o_mcu_command(const h2o_mcu *mcu);

#endif
