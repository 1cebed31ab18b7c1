/** What the golden vectors look like in C. */
#ifndef VECTORS_H
#define VECTORS_H

#include <string.h>

#include "h2o_link.h"

typedef struct frame_vector {
  const char *name;
  h2o_sender from;
  uint16_t sequence;
  uint32_t time;
  const uint8_t *wire;
  size_t length;
  h2o_message message;
} frame_vector;

typedef struct stream_vector {
  const char *name;
  h2o_sender from;
  const uint8_t *wire;
  size_t length;
  h2o_counters counts;
  struct {
    uint8_t type;
    uint16_t sequence;
  } accepts[8];
} stream_vector;

#endif
