/** The test bench's own line, the second UART: the truth as a line of JSON every 50 ms of MCU time, and orders by letter. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

#include "h2o_mcu.h"
#include "plant.h"

/** What the bench itself counts. */
typedef struct bench_counters {
  /** [µs] by the board's clock: the latest frame that was waited for, from sending to its answer */
  uint32_t round_trip;
  /** answers that were waited for */
  uint32_t answers;
  /** times that no answer came within all patience */
  uint32_t unanswered;
  /** times that MCU time fell behind the board's clock and was not caught up */
  uint32_t slips;
} bench_counters;

/** `on_order`: a letter came; in the receive interrupt. */
void console_init(void (*on_order)(uint8_t letter));

/** A millisecond of MCU time has passed. */
void console_step(const h2o_mcu *mcu, const plant_truth *truth, const bench_counters *bench, uint32_t now);

#endif
