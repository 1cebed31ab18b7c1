/**
 * Offset between the host's clock and the MCU's (PROTOCOL.md §10): for logs and latencies; nothing that moves the robot
 * depends on it.
 */
#ifndef H2O_CLOCK_H
#define H2O_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** All times [µs], modulo 2^32. */
typedef struct h2o_clock {
  bool known;
  /** bounds of host time − MCU time; the lower one, and how far the upper one is above it */
  uint32_t lower;
  uint32_t width;
  /** MCU time up to which the clocks' drift is in the bounds */
  uint32_t at;
} h2o_clock;

/** Another session: nothing is known. */
void h2o_clock_reset(h2o_clock *clock);

/** A valid command, built at `built` by the host's clock, answers a frame sampled at `sampled`; it came at `received`. */
void h2o_clock_observe(h2o_clock *clock, uint32_t built, uint32_t sampled, uint32_t received);

/**
 * Host time − MCU time [µs], and how far off it may be at most [µs].
 * Returns false, and gives nothing, before the first valid command.
 */
bool h2o_clock_offset(const h2o_clock *clock, uint32_t *offset, uint32_t *uncertainty);

#endif
