/**
 * Little-endian integers in a payload (PROTOCOL.md §2.1), byte by byte: right on any machine, at any alignment.
 * Compilers make one load or store of each where the machine allows it.
 */
#ifndef H2O_BYTES_H
#define H2O_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void h2o_put_u8(uint8_t *to, uint8_t value) { to[0] = value; }

static inline void h2o_put_u16(uint8_t *to, uint16_t value) {
  to[0] = (uint8_t)(value & 0xffu);
  to[1] = (uint8_t)(value >> 8);
}

static inline void h2o_put_u32(uint8_t *to, uint32_t value) {
  h2o_put_u16(to, (uint16_t)(value & 0xffffu));
  h2o_put_u16(to + 2, (uint16_t)(value >> 16));
}

static inline void h2o_put_i8(uint8_t *to, int8_t value) { h2o_put_u8(to, (uint8_t)value); }
static inline void h2o_put_i16(uint8_t *to, int16_t value) { h2o_put_u16(to, (uint16_t)value); }
static inline void h2o_put_i32(uint8_t *to, int32_t value) { h2o_put_u32(to, (uint32_t)value); }

static inline uint8_t h2o_get_u8(const uint8_t *from) { return from[0]; }

static inline uint16_t h2o_get_u16(const uint8_t *from) {
  return (uint16_t)((unsigned)from[0] | ((unsigned)from[1] << 8));
}

static inline uint32_t h2o_get_u32(const uint8_t *from) {
  return (uint32_t)h2o_get_u16(from) | ((uint32_t)h2o_get_u16(from + 2) << 16);
}

/* A conversion to a signed type that the value does not fit is the implementation's to define (C99 6.3.1.3); this is not. */
static inline int8_t h2o_get_i8(const uint8_t *from) {
  return (int8_t)(from[0] < 0x80u ? (int)from[0] : (int)from[0] - 0x100);
}

static inline int16_t h2o_get_i16(const uint8_t *from) {
  const int32_t value = h2o_get_u16(from);
  return (int16_t)(value < 0x8000 ? value : value - 0x10000);
}

static inline int32_t h2o_get_i32(const uint8_t *from) {
  const uint32_t value = h2o_get_u32(from);
  return value < 0x80000000u ? (int32_t)value : (int32_t)(value - 0x80000000u) + INT32_MIN;
}

/** Text fills its field and is padded with zeros; what follows its first zero is not sent (§2.6). */
static inline void h2o_put_text(uint8_t *to, const char *text, size_t size) {
  size_t length = 0;
  while (length < size && text[length] != '\0') length++;
  for (size_t i = 0; i < size; i++) to[i] = i < length ? (uint8_t)text[i] : 0u;
}

static inline void h2o_get_text(char *text, const uint8_t *from, size_t size) {
  for (size_t i = 0; i < size; i++) text[i] = (char)from[i];
}

#endif
