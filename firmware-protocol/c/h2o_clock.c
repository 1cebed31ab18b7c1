#include "h2o_clock.h"

/** 1 µs in 5 ms: 200 ppm, two crystals at their worst (§10). */
#define MICROS_PER_DRIFT 5000u

void h2o_clock_reset(h2o_clock *clock) { *clock = (h2o_clock){0}; }

void h2o_clock_observe(h2o_clock *clock, uint32_t built, uint32_t sampled, uint32_t received) {
  /* §10.1: it was received after it was built, and built after the frame was sampled. */
  const uint32_t lower = built - received;
  const uint32_t width = received - sampled;
  if (clock->known) {
    const uint32_t drift = (uint32_t)(received - clock->at) / MICROS_PER_DRIFT;
    clock->at += drift * MICROS_PER_DRIFT; /* what is left over counts next time */
    clock->lower -= drift;
    clock->width += 2u * drift;

    /* §10.4: what both pairs allow; seen from the old lower bound, as signed distances. */
    const int64_t from = (int32_t)(lower - clock->lower);
    const int64_t to = from + (int64_t)width;
    const int64_t low = from > 0 ? from : 0;
    const int64_t high = to < (int64_t)clock->width ? to : (int64_t)clock->width;
    if (low <= high) {
      clock->lower += (uint32_t)low;
      clock->width = (uint32_t)(high - low);
      return;
    }
  }
  /* The first pair; or the bounds crossed: a clock was set or an end restarted. */
  *clock = (h2o_clock){.known = true, .lower = lower, .width = width, .at = received};
}

bool h2o_clock_offset(const h2o_clock *clock, uint32_t *offset, uint32_t *uncertainty) {
  if (!clock->known) return false;
  *offset = clock->lower + clock->width / 2u;
  *uncertainty = (clock->width + 1u) / 2u;
  return true;
}
