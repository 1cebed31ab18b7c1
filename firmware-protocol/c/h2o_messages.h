/* Generated from messages.yaml by `npm run generate`. Do not edit. */
#ifndef H2O_MESSAGES_H
#define H2O_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

/** Version of PROTOCOL.md. */
#define H2O_PROTOCOL_VERSION 1u
/** CRC-32 of the meaning of messages.yaml: ends with different hashes would misread each other. */
#define H2O_SCHEMA_HASH 0xa1f8684eu
/** Most bytes of payload that a receiver takes. */
#define H2O_MAX_PAYLOAD 96u
/** Kinds of messages. */
#define H2O_TYPE_COUNT 7

/** State of the motor controller. */
typedef enum h2o_mcu_state {
  /** torque off; where every start begins */
  H2O_MCU_STATE_IDLE = 0,
  /** applies commands */
  H2O_MCU_STATE_ACTIVE = 1,
  /** wheels damped to zero velocity, legs held; after 1 s limp */
  H2O_MCU_STATE_BRAKING = 2,
  /** wheels off, legs damped */
  H2O_MCU_STATE_LIMP = 3,
  /** torque off, latched; left only by `clear` */
  H2O_MCU_STATE_ESTOPPED = 4,
  /** torque off, latched; left only by `clear` once the cause is gone */
  H2O_MCU_STATE_FAULTED = 5,
} h2o_mcu_state;

/** State that a command asks for. An e-stop is a message of its own. */
typedef enum h2o_requested_state {
  /** torque off */
  H2O_REQUESTED_STATE_IDLE = 0,
  /** apply this command */
  H2O_REQUESTED_STATE_ACTIVE = 1,
  /** brake, then limp */
  H2O_REQUESTED_STATE_BRAKING = 2,
  /** wheels off, legs damped */
  H2O_REQUESTED_STATE_LIMP = 3,
} h2o_requested_state;

/** Why the MCU latched. */
typedef enum h2o_latch_cause {
  /** nothing is latched */
  H2O_LATCH_CAUSE_NONE = 0,
  /** no valid command for the watchdog time */
  H2O_LATCH_CAUSE_WATCHDOG = 1,
  /** an `estop` message arrived, or the MCU's own stop input acted */
  H2O_LATCH_CAUSE_ESTOP = 2,
  /** a fault bit is set */
  H2O_LATCH_CAUSE_FAULT = 3,
} h2o_latch_cause;

/** Hardware faults. Any bit makes the MCU `faulted`. */
enum {
  /** IMU does not answer or fails its self-test */
  H2O_FAULTS_IMU = 0x0001,
  /** left wheel drive reports an error */
  H2O_FAULTS_LEFT_WHEEL_DRIVE = 0x0002,
  /** right wheel drive reports an error */
  H2O_FAULTS_RIGHT_WHEEL_DRIVE = 0x0004,
  /** a hip or knee drive reports an error */
  H2O_FAULTS_LEG_DRIVE = 0x0008,
  /** an encoder is missing or implausible */
  H2O_FAULTS_ENCODER = 0x0010,
  /** a drive or the board is too hot */
  H2O_FAULTS_OVER_TEMPERATURE = 0x0020,
  /** supply below the drives' minimum */
  H2O_FAULTS_UNDER_VOLTAGE = 0x0040,
  /** supply above the drives' maximum */
  H2O_FAULTS_OVER_VOLTAGE = 0x0080,
  /** a drive tripped on current */
  H2O_FAULTS_OVER_CURRENT = 0x0100,
  /** the MCU's own control loop missed its deadline */
  H2O_FAULTS_CONTROL_OVERRUN = 0x0200,
};

/** Type byte of each message. */
typedef enum h2o_type {
  H2O_HELLO = 0x01,
  H2O_SENSORS = 0x10,
  H2O_COMMAND = 0x20,
  H2O_ESTOP = 0x30,
  H2O_ESTOP_ECHO = 0x31,
  H2O_FAULT = 0x32,
  H2O_CLEAR = 0x33,
} h2o_type;

typedef enum h2o_direction { H2O_BOTH, H2O_MCU_TO_HOST, H2O_HOST_TO_MCU } h2o_direction;

typedef struct h2o_type_info {
  uint8_t type;
  /** bytes */
  uint8_t payload_size;
  h2o_direction direction;
} h2o_type_info;

/** All types, in the order of messages.yaml. */
extern const h2o_type_info h2o_types[H2O_TYPE_COUNT];

/**
 * Opens a session and names both ends. The host repeats it until it is answered; the MCU sends it at boot and in answer
 * to each `hello`. Layout and type of this message never change between protocol versions.
 */
typedef struct h2o_hello {
  /** version of this document */
  uint8_t protocol_version;
  /** hash of the message file; ends with different hashes refuse each other */
  uint32_t schema_hash;
  /** host: drawn anew whenever it opens the port. MCU: drawn anew at each boot; never 0 */
  uint32_t nonce;
  /** MCU: nonce of the host it obeys, 0 if none; host: nonce of the MCU it last met, 0 if none */
  uint32_t peer_nonce;
  /** [Hz] MCU: rate of `sensors`; host: 0 */
  uint16_t sensor_rate;
  /** [ms] MCU: time without a valid command until it brakes, latched; host: 0 */
  uint16_t watchdog;
  /** MCU: number of the latest latch, counts up; host: 0 */
  uint16_t latch;
  /** MCU: what is latched now */
  h2o_latch_cause latch_cause;
  /** robot model or host program, UTF-8, zero padded; not ended by a zero when full */
  char name[16];
  /** firmware or program version, UTF-8, zero padded; not ended by a zero when full */
  char revision[16];
} h2o_hello;

/** What a sender puts that has nothing to say. */
extern const h2o_hello h2o_hello_default;

/** rad/s of one count of sensors.gyro */
#define H2O_SENSORS_GYRO_RESOLUTION (50.0f / 32768.0f)
/** m/s² of one count of sensors.acceleration */
#define H2O_SENSORS_ACCELERATION_RESOLUTION 0.005f
/** 1 of one count of sensors.attitude */
#define H2O_SENSORS_ATTITUDE_RESOLUTION (1.0f / 32767.0f)
/** rad of one count of sensors.wheel_position */
#define H2O_SENSORS_WHEEL_POSITION_RESOLUTION 0.0001f
/** rad of one count of sensors.leg_position */
#define H2O_SENSORS_LEG_POSITION_RESOLUTION 0.0001f
/** rad/s of one count of sensors.wheel_velocity */
#define H2O_SENSORS_WHEEL_VELOCITY_RESOLUTION 0.005f
/** rad/s of one count of sensors.leg_velocity */
#define H2O_SENSORS_LEG_VELOCITY_RESOLUTION 0.002f
/** N·m of one count of sensors.wheel_torque_applied */
#define H2O_SENSORS_WHEEL_TORQUE_APPLIED_RESOLUTION 0.001f
/** N·m of one count of sensors.wheel_torque_measured */
#define H2O_SENSORS_WHEEL_TORQUE_MEASURED_RESOLUTION 0.001f
/** N·m of one count of sensors.leg_torque */
#define H2O_SENSORS_LEG_TORQUE_RESOLUTION 0.2f
/** V of one count of sensors.battery */
#define H2O_SENSORS_BATTERY_RESOLUTION 0.25f

/** One sample of everything the controller needs, at the sensor rate. The host answers each with one `command`. */
typedef struct h2o_sensors {
  /** state of the MCU when it sampled */
  h2o_mcu_state state;
  /** the quaternion is the IMU's own; otherwise it is to be ignored */
  bool has_attitude;
  /** wheel_torque_measured is a measurement; otherwise it repeats the applied torque */
  bool has_wheel_torque;
  /** leg joints are measured */
  bool has_legs;
  /** the last valid command was within its time to live when it sampled */
  bool command_fresh;
  /** sequence of the `sensors` frame that the last valid command answered; 0 before the first */
  uint16_t answered;
  /** [50/32768 rad/s] angular rate x, y, z in the body frame */
  int16_t gyro[3];
  /** [0.005 m/s²] specific force x, y, z in the body frame; +9.81 on z at rest upright */
  int16_t acceleration[3];
  /** [1/32767 1] unit quaternion w, x, y, z, body to world */
  int16_t attitude[4];
  /** [0.0001 rad] left, right; relative to the shank, not wrapped */
  int32_t wheel_position[2];
  /** [0.0001 rad] left hip, left knee, right hip, right knee; PROTOCOL.md §1 has the signs */
  int16_t leg_position[4];
  /** [0.005 rad/s] left, right; relative to the shank */
  int16_t wheel_velocity[2];
  /** [0.002 rad/s] in the order of leg_position */
  int16_t leg_velocity[4];
  /**
   * [0.001 N·m] torque that the drives were commanded to give since the previous sample (PROTOCOL.md §5.3): left, right
   */
  int16_t wheel_torque_applied[2];
  /** [0.001 N·m] torque from the drives' current sensors */
  int16_t wheel_torque_measured[2];
  /** [0.2 N·m] in the order of leg_position; for load and contact estimation, not for control */
  int8_t leg_torque[4];
  /** faults now; bits H2O_FAULTS_… */
  uint16_t faults;
  /** [0.25 V] supply voltage */
  uint8_t battery;
  /**
   * [°C] one of eight, chosen by sequence mod 8: left hip, left knee, left wheel, right hip, right knee, right wheel
   * drive, board, battery; 255 = not measured
   */
  uint8_t temperature;
} h2o_sensors;

/** What a sender puts that has nothing to say. */
extern const h2o_sensors h2o_sensors_default;

/** µs of one count of command.time_to_live */
#define H2O_COMMAND_TIME_TO_LIVE_RESOLUTION 10.0f
/** N·m of one count of command.wheel_torque */
#define H2O_COMMAND_WHEEL_TORQUE_RESOLUTION 0.001f
/** rad of one count of command.leg_position */
#define H2O_COMMAND_LEG_POSITION_RESOLUTION 0.0001f
/** rad/s of one count of command.leg_velocity */
#define H2O_COMMAND_LEG_VELOCITY_RESOLUTION 0.002f
/** N·m of one count of command.leg_torque */
#define H2O_COMMAND_LEG_TORQUE_RESOLUTION 0.001f
/** N·m·s/rad of one count of command.leg_damping */
#define H2O_COMMAND_LEG_DAMPING_RESOLUTION 0.1f

/**
 * Answer to one `sensors` frame. Expires `time_to_live` after the instant at which the answered frame was sampled,
 * however late it arrives; is obeyed only from the host named in the last accepted `hello`, and only if it answers a
 * newer frame than the command before it.
 */
typedef struct h2o_command {
  /** the host's nonce */
  uint32_t session;
  /** sequence of the `sensors` frame that it answers */
  uint16_t answers;
  /** [10 µs] from the sampling of the answered frame; 0 = already expired */
  uint16_t time_to_live;
  /** state asked for */
  h2o_requested_state requested_state;
  /** [0.001 N·m] left, right; positive drives forward */
  int16_t wheel_torque[2];
  /** [0.0001 rad] set-points: left hip, left knee, right hip, right knee */
  int16_t leg_position[4];
  /** [0.002 rad/s] velocity set-points */
  int16_t leg_velocity[4];
  /** [0.001 N·m] feed-forward torques */
  int16_t leg_torque[4];
  /** [N·m/rad] position gains */
  uint8_t leg_stiffness[4];
  /** [0.1 N·m·s/rad] velocity gains */
  uint8_t leg_damping[4];
} h2o_command;

/** What a sender puts that has nothing to say. */
extern const h2o_command h2o_command_default;

/**
 * Torque off at once, latched. Obeyed in every state, from anybody, without `hello`, whatever its sequence, and also
 * when the schema hashes differ: type and layout of this message never change.
 */
typedef struct h2o_estop {
  /** for the log; any value stops */
  uint8_t reason;
} h2o_estop;

/** What a sender puts that has nothing to say. */
extern const h2o_estop h2o_estop_default;

/** Torque is off. Sent at once on `estop`, and every 100 ms while e-stopped. */
typedef struct h2o_estop_echo {
  /** number of this latch; `clear` must name it */
  uint16_t latch;
  /** [µs] MCU time of the latch */
  uint32_t latched_at;
  /** sequence of the latest `estop` received */
  uint16_t estop_sequence;
} h2o_estop_echo;

/** What a sender puts that has nothing to say. */
extern const h2o_estop_echo h2o_estop_echo_default;

/** The MCU latched for another reason than an e-stop. Sent at once, and every 100 ms while latched. */
typedef struct h2o_fault {
  /** number of this latch */
  uint16_t latch;
  /** why */
  h2o_latch_cause cause;
  /** fault bits at the latch; bits H2O_FAULTS_… */
  uint16_t faults;
  /** [µs] MCU time of the latch */
  uint32_t latched_at;
} h2o_fault;

/** What a sender puts that has nothing to say. */
extern const h2o_fault h2o_fault_default;

/**
 * Clears the latch of that number and leaves the MCU idle. Ignored from another session, for another number, and while
 * the cause of a fault persists; so a late or repeated `clear` cannot undo a newer stop.
 */
typedef struct h2o_clear {
  /** the host's nonce */
  uint32_t session;
  /** number of the latch to clear */
  uint16_t latch;
} h2o_clear;

/** What a sender puts that has nothing to say. */
extern const h2o_clear h2o_clear_default;

/** Any message; `type` says which member holds it. */
typedef struct h2o_message {
  h2o_type type;
  union {
    h2o_hello hello;
    h2o_sensors sensors;
    h2o_command command;
    h2o_estop estop;
    h2o_estop_echo estop_echo;
    h2o_fault fault;
    h2o_clear clear;
  } as;
} h2o_message;

/** Writes the payload of a message, `payload_size` bytes of its type. */
void h2o_encode_payload(const h2o_message *message, uint8_t *payload);

/**
 * Reads the payload of `message->type`, which must be one of `h2o_types`.
 * Returns false if an enum field holds a number without a name (PROTOCOL.md §3.9).
 */
bool h2o_decode_payload(h2o_message *message, const uint8_t *payload);

#endif
