/** What the drives give in each of the MCU's states (PROTOCOL.md §5). Pure: numbers in, numbers out. */
#ifndef MOTORS_H
#define MOTORS_H

#include "h2o_mcu.h"
#include "hardware.h"

extern const hardware_torques motors_off;

/** Torques from now on, never beyond the drives' limits (§5.3). `command`: the last valid one. */
hardware_torques motors_torques(h2o_drive drive, const h2o_command *command, const hardware_joints *joints);

/** These torques are in force for one more step of the loop. */
void motors_record(const hardware_torques *torques);

/**
 * Which torques were in force since the last call, for `sensors`: of several on the wheels the one in force longest, of
 * equals the latest. Reported is what was applied and not what was asked for (§5.3).
 */
hardware_torques motors_applied(void);

#endif
