#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* ---- interrupts ---------------------------------------------------------------------------------------------------- */

/* ARMv7-M: NVIC and system control. All interrupts have the same priority, so none interrupts another. */
#define NVIC_ENABLE REGISTER(0xe000e100u)
#define NVIC_PEND REGISTER(0xe000e200u)
#define SCB_RESET REGISTER(0xe000ed0cu)

#define IRQ_UART0 5u
#define IRQ_UART1 6u
#define IRQ_TIMER0 19u

uint32_t board_lock(void) {
  uint32_t lock;
  __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(lock) : : "memory");
  return lock;
}

void board_unlock(uint32_t lock) { __asm__ volatile("msr primask, %0" : : "r"(lock) : "memory"); }

void board_sleep(void) {
  /* An interrupt that is masked wakes it all the same, and acts in the moment of the unlock. */
  __asm__ volatile("dsb\n\twfi" : : : "memory");
}

void board_reset(void) {
  for (;;) SCB_RESET = 0x05fa0004u;
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

#define CYCLES_PER_MICRO 50u

#define CLOCK_STATUS REGISTER(0x400fe050u)
#define CLOCK_PLL_LOCKED (1u << 6)
#define CLOCK_CONFIGURATION REGISTER(0x400fe060u)

#define SYSTICK_CONTROL REGISTER(0xe000e010u)
#define SYSTICK_RELOAD REGISTER(0xe000e014u)
#define SYSTICK_VALUE REGISTER(0xe000e018u)
#define SYSTICK_MASK 0x00ffffffu

#define TIMER0_CONFIGURATION REGISTER(0x40030000u)
#define TIMER0_MODE REGISTER(0x40030004u)
#define TIMER0_CONTROL REGISTER(0x4003000cu)
#define TIMER0_INTERRUPT_MASK REGISTER(0x40030018u)
#define TIMER0_INTERRUPT_CLEAR REGISTER(0x40030024u)
#define TIMER0_RELOAD REGISTER(0x40030028u)

/** The chip's only counter that can be read while it runs has 24 bits and counts down: a third of a second. */
static struct {
  uint32_t count;
  uint32_t cycles; /* beyond the last whole microsecond */
  uint32_t micros;
} clock;

uint32_t board_micros(void) {
  const uint32_t lock = board_lock();
  const uint32_t count = SYSTICK_VALUE;
  clock.cycles += (clock.count - count) & SYSTICK_MASK;
  clock.count = count;
  clock.micros += clock.cycles / CYCLES_PER_MICRO;
  clock.cycles %= CYCLES_PER_MICRO;
  const uint32_t micros = clock.micros;
  board_unlock(lock);
  return micros;
}

/**
 * Wakes whoever sleeps, and reads the counter before it has gone round. It counts nothing: an interrupt that comes late is
 * an interrupt that is lost, and a clock made of them goes slow whenever the chip is busy.
 */
void TIMER0_Handler(void);
void TIMER0_Handler(void) {
  TIMER0_INTERRUPT_CLEAR = 1u;
  (void)board_micros();
}

void board_init(void) {
  /* 8 MHz crystal, PLL, 200 MHz / 4. On the real chip the peripherals' clocks and pins are to be switched on as well. */
  CLOCK_CONFIGURATION = (CLOCK_CONFIGURATION & ~(0xfu << 23 | 0x1fu << 6 | 3u << 4 | 1u << 13)) | 1u << 11 | 0xeu << 6;
  while ((CLOCK_STATUS & CLOCK_PLL_LOCKED) == 0u) {
  }
  CLOCK_CONFIGURATION = (CLOCK_CONFIGURATION & ~(1u << 11)) | 3u << 23 | 1u << 22;

  SYSTICK_RELOAD = SYSTICK_MASK;
  SYSTICK_VALUE = 0;
  SYSTICK_CONTROL = 1u << 2 | 1u << 0; /* processor's clock, no interrupt */
  clock.count = SYSTICK_VALUE;

  TIMER0_CONFIGURATION = 0;
  TIMER0_MODE = 2u; /* periodic */
  TIMER0_RELOAD = 1000u * CYCLES_PER_MICRO - 1u;
  TIMER0_INTERRUPT_MASK = 1u;
  NVIC_ENABLE = 1u << IRQ_TIMER0;
  TIMER0_CONTROL = 1u;
}

uint32_t board_random(void) {
  /* This chip has no source of randomness; take yours. Here: what the RAM holds that no start clears, and jitter. */
  static uint32_t state __attribute__((section(".noinit")));
  for (unsigned round = 0; round < 16u; round++) {
    state = (state ^ SYSTICK_VALUE) * 0x9e3779b1u;
    state ^= state >> 15;
    const uint32_t lock = board_lock();
    board_sleep();
    board_unlock(lock);
  }
  return state != 0u ? state : 1u;
}

/* ---- UARTs --------------------------------------------------------------------------------------------------------- */

#define UART_DATA 0x00u
#define UART_FLAGS 0x18u
#define UART_RECEIVE_EMPTY (1u << 4)
#define UART_TRANSMIT_FULL (1u << 5)
#define UART_BAUD_WHOLE 0x24u
#define UART_BAUD_64TH 0x28u
#define UART_LINE 0x2cu
#define UART_CONTROL 0x30u
#define UART_LEVELS 0x34u
#define UART_INTERRUPT_MASK 0x38u
#define UART_INTERRUPT_CLEAR 0x44u

#define UART_OVERRUN (1u << 11) /* beside the data */
#define UART_RECEIVED (1u << 4)
#define UART_TRANSMITTED (1u << 5)
#define UART_WAITED (1u << 6) /* bytes below the level that nobody fetched for 32 bits' time */
#define UART_FIFO 16u

/** A power of two, and more than everything that may go out within one sensor period. */
#define RING 1024u

typedef struct port {
  uint32_t base;
  uint32_t irq;
  void (*on_byte)(uint8_t byte);
  board_uart_counters counters;
  uint32_t head; /* counts bytes put in */
  uint32_t tail; /* counts bytes taken out */
  uint8_t ring[RING];
} port;

static port ports[2];

void board_uart_open(board_uart uart, void (*on_byte)(uint8_t byte)) {
  port *const to = &ports[uart];
  to->base = uart == BOARD_UART_HOST ? 0x4000c000u : 0x4000d000u;
  to->irq = uart == BOARD_UART_HOST ? IRQ_UART0 : IRQ_UART1;
  to->on_byte = on_byte;
  REGISTER(to->base + UART_CONTROL) = 0;
  /* 921600 baud from 50 MHz: 3 + 25/64, 0.1 % off (§9) */
  REGISTER(to->base + UART_BAUD_WHOLE) = 3u;
  REGISTER(to->base + UART_BAUD_64TH) = 25u;
  REGISTER(to->base + UART_LINE) = 3u << 5 | 1u << 4; /* 8 bits, no parity, one stop bit (§2.1); FIFOs */
  REGISTER(to->base + UART_LEVELS) = 0;               /* an interrupt when an eighth is there, or hardly any is left */
  REGISTER(to->base + UART_INTERRUPT_MASK) = UART_RECEIVED | UART_WAITED;
  REGISTER(to->base + UART_CONTROL) = 1u << 9 | 1u << 8 | 1u << 0;
  NVIC_ENABLE = 1u << to->irq;
}

bool board_uart_send(board_uart uart, const uint8_t *bytes, size_t length) {
  port *const to = &ports[uart];
  if (length > RING - (to->head - to->tail)) {
    to->counters.dropped++;
    return false;
  }
  for (size_t i = 0; i < length; i++) to->ring[to->head++ % RING] = bytes[i];
  NVIC_PEND = 1u << to->irq; /* its interrupt, which alone writes to the UART, begins */
  return true;
}

board_uart_counters board_uart_health(board_uart uart) {
  const uint32_t lock = board_lock();
  const board_uart_counters counters = ports[uart].counters;
  board_unlock(lock);
  return counters;
}

static void receive(port *from) {
  REGISTER(from->base + UART_INTERRUPT_CLEAR) = UART_RECEIVED | UART_WAITED;
  /*
   * No ring: each byte is used up here. Were there one, this loop would have to end when it is full, with the interrupt
   * off until it is not: a byte left in the UART holds back the sender, one thrown away is a command or a stop lost.
   */
  while ((REGISTER(from->base + UART_FLAGS) & UART_RECEIVE_EMPTY) == 0u) {
    const uint32_t data = REGISTER(from->base + UART_DATA);
    if ((data & UART_OVERRUN) != 0u) from->counters.overruns++;
    from->on_byte((uint8_t)(data & 0xffu)); /* one that is wrong is found out by the CRC */
  }
}

static void transmit(port *to) {
  REGISTER(to->base + UART_INTERRUPT_CLEAR) = UART_TRANSMITTED;
  /* No more than the FIFO holds in one turn: the other interrupts want theirs. */
  for (unsigned room = UART_FIFO; room > 0u && to->tail != to->head; room--) {
    if ((REGISTER(to->base + UART_FLAGS) & UART_TRANSMIT_FULL) != 0u) break;
    REGISTER(to->base + UART_DATA) = to->ring[to->tail++ % RING];
  }
  const uint32_t more = to->tail != to->head ? UART_TRANSMITTED : 0u;
  REGISTER(to->base + UART_INTERRUPT_MASK) = UART_RECEIVED | UART_WAITED | more;
}

static void serve(port *uart) {
  receive(uart);
  transmit(uart);
}

void UART0_Handler(void);
void UART0_Handler(void) { serve(&ports[BOARD_UART_HOST]); }

void UART1_Handler(void);
void UART1_Handler(void) { serve(&ports[BOARD_UART_CONSOLE]); }
