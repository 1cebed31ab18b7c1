/**
 * The chip: two UARTs with interrupts, a free-running clock, sleep. Written for QEMU's `lm3s6965evb`, whose UART is ARM's
 * PL011; this file and startup.c are what a port to another chip replaces (README.md).
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum board_uart { BOARD_UART_HOST, BOARD_UART_CONSOLE } board_uart;

typedef struct board_uart_counters {
  /** bytes that the hardware dropped because nobody fetched them in time */
  uint32_t overruns;
  /** pieces that were not sent, since the ring had no room for them */
  uint32_t dropped;
} board_uart_counters;

/** Clocks and timers; interrupts stay as they are. */
void board_init(void);

/** Before anything is sent. From now on each byte that comes is given to `on_byte`, in the receive interrupt. */
void board_uart_open(board_uart uart, void (*on_byte)(uint8_t byte));

/** Sends all of it or, returning false, nothing. Does not wait; call it from an interrupt or under lock. */
bool board_uart_send(board_uart uart, const uint8_t *bytes, size_t length);

board_uart_counters board_uart_health(board_uart uart);

/** A clock [µs] modulo 2^32 that nothing stops; from interrupts too. */
uint32_t board_micros(void);

/** Not 0; another number after each reset, as far as this chip can make one. */
uint32_t board_random(void);

/** No interrupt acts between the two; they nest. Keep it short: see the depth of the UART's FIFO. */
uint32_t board_lock(void);
void board_unlock(uint32_t lock);

/** Sleeps until an interrupt wants to act, a millisecond at most. Under lock, so that none is missed just before. */
void board_sleep(void);

/** Starts anew, as after power on. */
void board_reset(void);

#endif
