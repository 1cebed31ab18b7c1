/**
 * The robot in numbers, as its file on the host has them (models/robots/wheel-legged.yaml; a test compares): the host does
 * not arm a robot of another name, and takes the MCU for the last line of defence. Yours differ.
 */
#ifndef ROBOT_H
#define ROBOT_H

#define ROBOT_NAME "wheel-legged"

/** [N·m] what a wheel drive can give (`mcu.wheelTorquePeak`) and a leg drive (`legs.torqueLimit`) */
#define WHEEL_TORQUE_PEAK 6.0f
#define LEG_TORQUE_LIMIT 15.0f
/** [N·m·s/rad] wheels in braking (`mcu.brakeDamping`), legs in limp (`mcu.limpDamping`) */
#define BRAKE_DAMPING 0.3f
#define LIMP_DAMPING 10.0f
/** [N·m/rad], [N·m·s/rad] of the MCU's own, to hold the legs (`legs.stiffness`, `legs.damping`) */
#define LEG_STIFFNESS 150.0f
#define LEG_DAMPING 5.0f
/** [rad] where the legs are held until a command says otherwise (`legs.hipStance`, `legs.kneeStance`) */
#define HIP_STANCE 1.062f
#define KNEE_STANCE (-1.527f)

/** [Hz] of `sensors` (`policy.rate`) */
#define SENSOR_RATE 200u
/** [ms] (`timing.mcuWatchdog`): half the time in which the robot falls (PROTOCOL.md §6.6) */
#define WATCHDOG 50u

#endif
