/** From reset to main, without a C library: vectors, memory, FPU, and the functions that a compiler calls unasked. */
#include <stddef.h>
#include <stdint.h>

#include "board.h"

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void TIMER0_Handler(void);
void UART0_Handler(void);
void UART1_Handler(void);

/* from the linker script */
extern uint32_t image_data[], data_begin[], data_end[], bss_begin[], bss_end[], stack_top[];

#define FPU_ACCESS (*(volatile uint32_t *)0xe000ed88u)

void Reset_Handler(void) {
  /* First of all: the compiler uses the FPU's registers as it likes. */
  FPU_ACCESS |= 0xfu << 20;
  __asm__ volatile("dsb\n\tisb" : : : "memory");
  const uint32_t *from = image_data;
  for (uint32_t *to = data_begin; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_begin; to < bss_end;) *to++ = 0;
  (void)main();
  board_reset();
}

/**
 * A fault, or an interrupt that nobody expects: the program cannot be trusted any more, and the drives hold their last
 * torque. After a reset all is off, and the host sees that the MCU has started anew (PROTOCOL.md §7.5).
 */
void Fault_Handler(void) { board_reset(); }

typedef union vector {
  uint32_t *stack;
  void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16 + 44] = {
    [0] = {.stack = stack_top},
    [1] = {.handler = Reset_Handler},
    [2] = {.handler = Fault_Handler},  /* NMI */
    [3] = {.handler = Fault_Handler},  /* hard fault, to which the others escalate */
    [4] = {.handler = Fault_Handler},
    [5] = {.handler = Fault_Handler},
    [6] = {.handler = Fault_Handler},
    [11] = {.handler = Fault_Handler}, /* SVC */
    [12] = {.handler = Fault_Handler},
    [14] = {.handler = Fault_Handler}, /* PendSV */
    [15] = {.handler = Fault_Handler}, /* SysTick: its interrupt is off */
    [16 + 5] = {.handler = UART0_Handler},
    [16 + 6] = {.handler = UART1_Handler},
    [16 + 19] = {.handler = TIMER0_Handler},
};

/* Compiled with -fno-tree-loop-distribute-patterns, or the compiler would find memset in memset. */

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  unsigned char *target = to;
  const unsigned char *source = from;
  while (length-- > 0u) *target++ = *source++;
  return to;
}

void *memset(void *to, int value, size_t length);
void *memset(void *to, int value, size_t length) {
  unsigned char *target = to;
  while (length-- > 0u) *target++ = (unsigned char)value;
  return to;
}
