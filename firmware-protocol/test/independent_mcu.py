#!/usr/bin/env python3
"""A second motor controller, written from PROTOCOL.md alone: no generated file, no code shared with the host or the C library.

Its tables are copied by hand from that page (§13, §14), so it disagrees with the other implementations wherever the page misleads,
and wherever messages.yaml moved on without it. Python 3.9 or newer, standard library only.

    independent_mcu.py vectors FILE   is this implementation right by vectors.json (§12)?
    independent_mcu.py codec          JSON lines: {"decode": hex, "from": "host"}, {"encode": {...}}, {"clock": [[h, s, r], ...]}
    independent_mcu.py serve [PORT]   an MCU with a robot on that tty, or on a new pty; JSON lines in (verbs) and out (what happens)
"""

from __future__ import annotations

import json
import math
import os
import random
import select
import struct
import sys
import termios
import time
import tty
import zlib
from collections import Counter, deque
from typing import Any, Callable, Iterator, NamedTuple, Optional

# Tables -----------------------------------------------------------------------------------------------------------------------

PROTOCOL_VERSION = 1
SCHEMA_HASH = 0xA1F8684E
LONGEST_PAYLOAD = 96

MCU_STATE = ["idle", "active", "braking", "limp", "estopped", "faulted"]
REQUESTED_STATE = ["idle", "active", "braking", "limp"]
LATCH_CAUSE = ["none", "watchdog", "estop", "fault"]
FAULTS = [
    "imu", "leftWheelDrive", "rightWheelDrive", "legDrive", "encoder",
    "overTemperature", "underVoltage", "overVoltage", "overCurrent", "controlOverrun",
]  # fmt: skip
# Bits of sensors.status: name, lowest bit, width, names of an enum's values.
STATUS = [("state", 0, 3, MCU_STATE), ("hasAttitude", 3, 1, None), ("hasWheelTorque", 4, 1, None), ("hasLegs", 5, 1, None), ("commandFresh", 6, 1, None)]  # fmt: skip


class Field(NamedTuple):
    name: str
    code: str  # of struct: B u8, b i8, H u16, h i16, I u32, i i32, s text
    count: int = 1
    resolution: float = 1
    enum: Optional[list] = None
    bits: Optional[list] = None  # fields within the integer
    flags: Optional[list] = None  # a bitset's names


class Message(NamedTuple):
    name: str
    type: int
    sender: str  # "host", "mcu" or "both"
    length: int
    fields: list

    @property
    def struct(self) -> struct.Struct:
        return struct.Struct("<" + "".join(f"{f.count}{f.code}" for f in self.fields))


MESSAGES = [
    Message("hello", 0x01, "both", 52, [
        Field("protocolVersion", "B"), Field("schemaHash", "I"), Field("nonce", "I"), Field("peerNonce", "I"), Field("sensorRate", "H"),
        Field("watchdog", "H"), Field("latch", "H"), Field("latchCause", "B", enum=LATCH_CAUSE), Field("name", "s", 16), Field("revision", "s", 16),
    ]),
    Message("sensors", 0x10, "mcu", 67, [
        Field("status", "B", bits=STATUS), Field("answered", "H"), Field("gyro", "h", 3, 50 / 32768), Field("acceleration", "h", 3, 0.005),
        Field("attitude", "h", 4, 1 / 32767), Field("wheelPosition", "i", 2, 0.0001), Field("legPosition", "h", 4, 0.0001),
        Field("wheelVelocity", "h", 2, 0.005), Field("legVelocity", "h", 4, 0.002), Field("wheelTorqueApplied", "h", 2, 0.001),
        Field("wheelTorqueMeasured", "h", 2, 0.001), Field("legTorque", "b", 4, 0.2), Field("faults", "H", flags=FAULTS),
        Field("battery", "B", resolution=0.25), Field("temperature", "B"),
    ]),
    Message("command", 0x20, "host", 45, [
        Field("session", "I"), Field("answers", "H"), Field("timeToLive", "H", resolution=10), Field("requestedState", "B", enum=REQUESTED_STATE),
        Field("wheelTorque", "h", 2, 0.001), Field("legPosition", "h", 4, 0.0001), Field("legVelocity", "h", 4, 0.002),
        Field("legTorque", "h", 4, 0.001), Field("legStiffness", "B", 4), Field("legDamping", "B", 4, 0.1),
    ]),
    Message("estop", 0x30, "host", 1, [Field("reason", "B")]),
    Message("estopEcho", 0x31, "mcu", 8, [Field("latch", "H"), Field("latchedAt", "I"), Field("estopSequence", "H")]),
    Message("fault", 0x32, "mcu", 9, [Field("latch", "H"), Field("cause", "B", enum=LATCH_CAUSE), Field("faults", "H", flags=FAULTS), Field("latchedAt", "I")]),
    Message("clear", 0x33, "host", 6, [Field("session", "I"), Field("latch", "H")]),
]  # fmt: skip
BY_NAME = {message.name: message for message in MESSAGES}
BY_TYPE = {message.type: message for message in MESSAGES}

# Payloads ---------------------------------------------------------------------------------------------------------------------


def pack(message: Message, raw: dict) -> bytes:
    """Payload of `raw`: integers as they are on the wire, text as it is; what is missing is 0."""
    numbers: list = []
    for field in message.fields:
        value = raw.get(field.name, "" if field.code == "s" else 0)
        if field.code == "s":
            # §2.6: cut at a whole character; struct pads with zeros
            numbers.append(value.encode()[: field.count].decode(errors="ignore").encode())
        else:
            numbers.extend(value if field.count > 1 and isinstance(value, list) else [value] * field.count)
    return message.struct.pack(*numbers)


def unpack(message: Message, payload: bytes) -> dict:
    numbers = list(message.struct.unpack(payload))
    raw: dict = {}
    for field in message.fields:
        if field.code == "s":
            raw[field.name] = numbers.pop(0).rstrip(b"\0").decode(errors="replace")
        else:
            raw[field.name] = numbers.pop(0) if field.count == 1 else [numbers.pop(0) for _ in range(field.count)]
    return raw


def quantise(field: Field, value: float) -> int:
    """§2.6: nearest, saturated at the ends of the type."""
    bits = 8 * struct.calcsize(field.code)
    low, high = (0, 2**bits - 1) if field.code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return math.floor(min(max(value / field.resolution, low), high) + 0.5)


def to_raw(message: Message, values: dict) -> dict:
    """Of physical values, names of enums, lists of flags; the bits of `status` stand beside the other fields."""
    raw: dict = {}
    for field in message.fields:
        if field.bits:
            raw[field.name] = 0
            for name, low, _, names in field.bits:
                value = values.get(name, 0)
                raw[field.name] |= (names.index(value) if names and value else int(value)) << low
        elif field.name in values:
            value = values[field.name]
            if field.enum:
                raw[field.name] = field.enum.index(value)
            elif field.flags:
                raw[field.name] = sum(1 << field.flags.index(flag) for flag in value)
            elif field.code == "s":
                raw[field.name] = value
            else:
                raw[field.name] = [quantise(field, v) for v in value] if isinstance(value, (list, tuple)) else quantise(field, value)
    return raw


def to_values(message: Message, raw: dict) -> dict:
    values: dict = {}
    for field in message.fields:
        value = raw[field.name]
        if field.bits:
            for name, low, width, names in field.bits:
                bits = value >> low & (1 << width) - 1
                values[name] = names[bits] if names else bits == 1
        elif field.enum:
            values[field.name] = field.enum[value]
        elif field.flags:
            values[field.name] = [flag for bit, flag in enumerate(field.flags) if value >> bit & 1]
        elif field.code == "s" or field.resolution == 1:
            values[field.name] = value
        else:
            values[field.name] = [v * field.resolution for v in value] if isinstance(value, list) else value * field.resolution
    return values


def has_unknown_value(message: Message, raw: dict) -> bool:
    """§3.9; bits without a name are ignored (§2.6)."""
    for field in message.fields:
        if field.enum and raw[field.name] >= len(field.enum):
            return True
        for _, low, width, names in field.bits or []:
            if names and (raw[field.name] >> low & (1 << width) - 1) >= len(names):
                return True
    return False


# Framing ----------------------------------------------------------------------------------------------------------------------

HEADER = struct.Struct("<BHI")  # §2.2


def stuff(frame: bytes) -> bytes:
    """§2.4 for frames shorter than 254 bytes: split at the zeros, each part behind its length plus one."""
    return b"".join(bytes([len(part) + 1]) + part for part in frame.split(b"\0"))


def unstuff(stuffed: bytes) -> Optional[bytes]:
    """None where the last block runs past the end, §3.3."""
    parts = []
    at = 0
    while at < len(stuffed):
        end = at + stuffed[at]
        if end > len(stuffed):
            return None
        parts.append(stuffed[at + 1 : end])
        at = end
    return b"\0".join(parts)


def encode(message: Message, sequence: int, clock: int, raw: dict) -> bytes:
    frame = HEADER.pack(message.type, sequence & 0xFFFF, clock & 0xFFFFFFFF) + pack(message, raw)
    return stuff(frame + struct.pack("<I", zlib.crc32(frame))) + b"\0"


class Frame(NamedTuple):
    message: Message
    sequence: int
    time: int
    payload: bytes
    raw: dict


class Receiver:
    """§3. `counts` has one counter for each reason, `accepted` and `lost`."""

    def __init__(self, end: str) -> None:
        self.end = end
        self.counts: Counter = Counter()
        self.collected = bytearray()
        self.skipping = False
        self.peer_nonce: Optional[int] = None
        self.forget()

    def forget(self) -> None:
        self.newest: dict = {}  # by type: sequence accepted last
        self.older: dict = {}  # by type: frames out of order in a row, and the sequence of the last of them

    def feed(self, received: bytes) -> Iterator[Frame]:
        for byte in received:
            if byte != 0:
                self.collected.append(byte)
                if len(self.collected) > LONGEST_PAYLOAD + 12:  # §3.2
                    self.counts["oversized"] += not self.skipping
                    self.skipping = True
                    self.collected.clear()
                continue
            stuffed, skipped = bytes(self.collected), self.skipping
            self.collected.clear()
            self.skipping = False
            if skipped or not stuffed:  # §3.1
                continue
            judged = self.judge(stuffed)
            if isinstance(judged, Frame):
                self.counts["accepted"] += 1
                yield judged
            else:
                self.counts[judged] += 1

    def judge(self, stuffed: bytes) -> Frame | str:
        frame = unstuff(stuffed)
        if frame is None:
            return "malformed"  # §3.3
        if len(frame) < 11:
            return "truncated"  # §3.4
        if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            return "corrupted"  # §3.5
        kind, sequence, clock = HEADER.unpack_from(frame)
        message = BY_TYPE.get(kind)
        if message is None:
            return "unknownType"  # §3.6
        if message.sender == self.end:
            return "wrongDirection"  # §3.7
        payload = frame[7:-4]
        if len(payload) != message.length:
            return "wrongLength"  # §3.8
        raw = unpack(message, payload)
        if has_unknown_value(message, raw):
            return "unknownValue"  # §3.9
        if message.name not in ("estop", "hello"):  # §3.14
            refused = self.follow(kind, sequence)
            if refused:
                return refused
        if message.name == "hello" and raw["nonce"] != self.peer_nonce:  # §3.14
            self.peer_nonce = raw["nonce"]
            self.forget()
        return Frame(message, sequence, clock, payload, raw)

    def follow(self, kind: int, sequence: int) -> Optional[str]:
        newest = self.newest.get(kind)
        ahead = 1 if newest is None else (sequence - newest) & 0xFFFF
        if ahead == 0:
            return "duplicated"  # §3.10
        if ahead >= 0x8000:  # §3.12
            row, last = self.older.get(kind, (0, sequence))
            row = row + 1 if row and sequence == (last + 1) & 0xFFFF else 1
            if row < 8:
                self.older[kind] = (row, sequence)
                return "outOfOrder"
            self.counts["resynchronised"] += 1  # §3.13
        else:
            self.counts["lost"] += ahead - 1  # §3.11
        self.newest[kind] = sequence
        self.older.pop(kind, None)
        return None


# The MCU ----------------------------------------------------------------------------------------------------------------------


class HostClock:
    """§10: what to add to the MCU's time [µs] to get the host's."""

    def __init__(self) -> None:
        self.lower = self.upper = 0
        self.last: Optional[int] = None

    def answer(self, built: int, sampled: int, received: int) -> None:
        """§10.2, times modulo 2^32 µs."""
        lower, upper = built - received, built - sampled
        if self.last is not None:
            # §10.4; the rest of the division is carried on, or a faster sensor rate would never widen anything
            steps = ((received - self.last) & 0xFFFFFFFF) // 5000
            kept_lower, kept_upper = self.lower - steps, self.upper + steps
            lower = kept_lower if signed(kept_lower - lower) > 0 else lower
            upper = kept_upper if signed(kept_upper - upper) < 0 else upper
            if signed(upper - lower) >= 0:
                self.lower, self.upper, self.last = lower, upper, self.last + 5000 * steps
                return
        self.lower, self.upper, self.last = built - received, built - sampled, received

    def report(self) -> Optional[dict]:
        width = signed(self.upper - self.lower)
        return None if self.last is None else {"offset": (self.lower + width // 2) & 0xFFFFFFFF, "uncertainty": width / 2}


def signed(difference: int) -> int:
    """A difference modulo 2^32, between -2^31 and 2^31 - 1."""
    return (difference + 2**31) % 2**32 - 2**31


class Command(NamedTuple):
    """The last valid one."""

    answers: int
    expires: int  # MCU time [µs]
    received: int
    values: dict


class Mcu:
    """§4 to §8. `now` [µs] is counted without end and is cut to 32 bits on the wire."""

    RATE = 200  # Hz
    WATCHDOG = 50_000  # µs
    BRAKE_TIME = 1_000_000  # µs, §5
    REPEAT = 100_000  # µs, §7.2
    WHEEL_TORQUE_PEAK = 6.0  # N·m, §5.3
    BRAKE_DAMPING = 0.3  # N·m·s/rad

    def __init__(self, now: int, send: Callable[[bytes], None], report: Callable[..., None], sequence: int = 0) -> None:
        self.now = now
        self.write = send
        self.report = report
        self.receiver = Receiver("mcu")
        self.refused: Counter = Counter()
        self.sequences: Counter = Counter({"sensors": sequence})
        self.nonce = random.getrandbits(32) or 1
        self.host = 0  # nonce of the host in charge
        self.clock = HostClock()
        self.last: Optional[Command] = None
        self.heard = -1  # the frame that the host in charge answered last, whatever became of its command
        self.recent: deque = deque(maxlen=64)  # sequence and sampling of the last `sensors`
        self.state = "idle"
        self.cause = "none"
        self.latch = self.latched_at = self.faults_at_latch = self.repeat_at = self.brakes_until = 0
        self.estop_sequence = 0
        self.faults = 0
        self.stop_input = False
        self.hello()  # §4.2

    def send(self, name: str, **raw: Any) -> int:
        sequence = self.sequences[name] & 0xFFFF
        self.sequences[name] += 1
        self.write(encode(BY_NAME[name], sequence, self.now, raw))
        return sequence

    def hello(self) -> None:
        self.write(b"\0")  # §2.5
        self.send(
            "hello", protocolVersion=PROTOCOL_VERSION, schemaHash=SCHEMA_HASH, nonce=self.nonce, peerNonce=self.host, sensorRate=self.RATE,
            watchdog=self.WATCHDOG // 1000, latch=self.latch, latchCause=LATCH_CAUSE.index(self.cause), name="wheel-legged", revision="python",
        )  # fmt: skip

    def receive(self, received: bytes) -> None:
        for frame in self.receiver.feed(received):
            {"hello": self.on_hello, "command": self.on_command, "estop": self.on_estop, "clear": self.on_clear}[frame.message.name](frame)

    def on_hello(self, frame: Frame) -> None:
        theirs = frame.raw
        same_version = theirs["protocolVersion"] == PROTOCOL_VERSION and theirs["schemaHash"] == SCHEMA_HASH  # §4.5
        if same_version and theirs["nonce"] not in (0, self.host) and self.state not in ("active", "braking"):  # §4.3
            self.host = theirs["nonce"]
            self.last = None
            self.heard = -1
            self.clock = HostClock()
            self.report("session", host=theirs["name"])
        self.hello()

    def on_command(self, frame: Frame) -> None:
        refused = self.judge(frame.raw)
        if refused:
            self.refused[refused] += 1
            return
        answers, values = frame.raw["answers"], to_values(frame.message, frame.raw)
        sampled = dict(self.recent)[answers]
        self.last = Command(answers, sampled + round(values["timeToLive"]), self.now, values)
        self.clock.answer(frame.time, sampled, self.now)
        requested = values["requestedState"]
        if requested == "active":
            if self.state == "idle":
                self.enter("active")
            elif self.state != "active":
                self.refused["notAllowed"] += 1  # §6.1
        elif self.state == "active" or self.cause == "none" and (self.state, requested) in (("braking", "idle"), ("braking", "limp"), ("limp", "idle")):
            self.enter(requested)

    def judge(self, raw: dict) -> Optional[str]:
        """§6.1, in the order of the table."""
        if self.host == 0 or raw["session"] != self.host:
            return "wrongSession"
        self.heard = raw["answers"]
        sampled = dict(self.recent).get(raw["answers"])
        if sampled is None:
            return "unknownAnswer"
        if self.last and not 0 < (raw["answers"] - self.last.answers) & 0xFFFF < 0x8000:
            return "staleAnswer"
        if self.now - sampled >= 10 * raw["timeToLive"]:
            return "expired"
        return None

    def on_estop(self, frame: Frame) -> None:
        self.estop_sequence = frame.sequence
        self.lock("estopped", "estop")  # §8.1

    def on_clear(self, frame: Frame) -> None:
        if self.host == 0 or frame.raw["session"] != self.host or frame.raw["latch"] != self.latch or self.cause == "none":
            return  # §7.3
        if self.state == "estopped" and not self.stop_input or self.state == "faulted" and not self.faults or self.state == "limp":
            self.cause = "none"
            self.enter("idle")
            self.check_faults()  # §5.2

    def press_stop(self, pressed: bool) -> None:
        if pressed and not self.stop_input:
            self.lock("estopped", "estop")
        self.stop_input = pressed

    def set_faults(self, bits: int) -> None:
        self.faults = bits
        self.check_faults()

    def check_faults(self) -> None:
        if self.faults and self.state not in ("estopped", "faulted"):
            self.lock("faulted", "fault")

    def lock(self, state: str, cause: str) -> None:
        """A latch, §7.1."""
        self.latch = (self.latch + 1) & 0xFFFF
        self.cause, self.latched_at, self.faults_at_latch = cause, self.now, self.faults
        self.enter(state)
        self.repeat()

    def repeat(self) -> None:
        """§7.2"""
        self.repeat_at = self.now + self.REPEAT
        if self.state == "estopped":
            self.send("estopEcho", latch=self.latch, latchedAt=self.latched_at & 0xFFFFFFFF, estopSequence=self.estop_sequence)
        else:
            cause = LATCH_CAUSE.index(self.cause)
            self.send("fault", latch=self.latch, cause=cause, faults=self.faults_at_latch, latchedAt=self.latched_at & 0xFFFFFFFF)

    def enter(self, state: str) -> None:
        if state == "braking":
            self.brakes_until = self.now + self.BRAKE_TIME
        self.report("state", **{"from": self.state, "to": state, "cause": self.cause, "latch": self.latch, "at": self.now})
        self.state = state

    def step(self, duration: int) -> None:
        self.now += duration
        if self.state == "active" and self.last and self.now - self.last.received >= self.WATCHDOG:
            self.lock("braking", "watchdog")  # §6.5
        if self.state == "braking" and self.now >= self.brakes_until:
            self.enter("limp")
        if self.cause != "none" and self.now >= self.repeat_at:
            self.repeat()

    @property
    def fresh(self) -> bool:
        return self.last is not None and self.now < self.last.expires

    def wheel_torque(self, velocity: float) -> list:
        """[N·m], left and right."""
        if self.state == "active" and self.last and self.fresh:  # §6.2
            asked = self.last.values["wheelTorque"]
        elif self.state in ("active", "braking"):  # §6.3
            asked = [-self.BRAKE_DAMPING * velocity] * 2
        else:
            asked = [0.0, 0.0]
        return [max(-self.WHEEL_TORQUE_PEAK, min(self.WHEEL_TORQUE_PEAK, torque)) for torque in asked]  # §5.3

    def sample(self, measured: dict) -> None:
        answered = self.last.answers if self.last else 0
        values = {**measured, "state": self.state, "commandFresh": self.fresh, "answered": answered}
        sequence = self.send("sensors", **to_raw(BY_NAME["sensors"], values), faults=self.faults)
        self.recent.append((sequence, self.now))


class Plant:
    """A wheeled inverted pendulum in the plane, after models/robots/wheel-legged.yaml; somebody holds it while the MCU is idle."""

    BODY, WHEEL, SPIN, INERTIA = 11.0, 0.5, 0.00151, 0.0972  # kg, kg, kg·m², kg·m²; two wheels
    RADIUS, HEIGHT, FRICTION, G = 0.065, 0.227 - 0.065, 0.03, 9.81  # m, m above the axle, N·m a wheel, m/s²
    HELD, FALLEN = 0.02, 1.2  # pitch [rad]

    def __init__(self) -> None:
        self.pitch, self.rate, self.position, self.speed, self.pull = self.HELD, 0.0, 0.0, 0.0, 0.0
        self.torques: list = []

    @property
    def wheel_velocity(self) -> float:
        return self.speed / self.RADIUS - self.rate  # relative to the shank

    def step(self, seconds: float, torque: list, held: bool) -> None:
        self.torques.append(torque)
        if held:
            self.pitch, self.rate, self.speed, self.pull = self.HELD, 0.0, 0.0, 0.0
            return
        total = sum(torque) - 2 * self.FRICTION * math.tanh(self.wheel_velocity / 0.2)
        mass = self.BODY + 2 * (self.WHEEL + self.SPIN / self.RADIUS**2)
        coupling = self.BODY * self.HEIGHT * math.cos(self.pitch)
        inertia = self.INERTIA + self.BODY * self.HEIGHT**2
        force = total / self.RADIUS + self.BODY * self.HEIGHT * self.rate**2 * math.sin(self.pitch)
        moment = self.BODY * self.G * self.HEIGHT * math.sin(self.pitch) - total
        determinant = mass * inertia - coupling**2
        self.pull = (inertia * force - coupling * moment) / determinant  # of the axle [m/s²]
        self.rate += seconds * (mass * moment - coupling * force) / determinant
        self.speed += seconds * self.pull
        self.pitch += seconds * self.rate
        self.position += seconds * self.speed
        if abs(self.pitch) >= self.FALLEN:
            self.pitch, self.rate, self.speed, self.pull = math.copysign(self.FALLEN, self.pitch), 0.0, 0.0, 0.0

    def measure(self) -> dict:
        sin, cos = math.sin(self.pitch), math.cos(self.pitch)
        applied = [sum(side) / len(self.torques) for side in zip(*self.torques)] if self.torques else [0.0, 0.0]
        self.torques = []
        return {
            "hasAttitude": True, "hasLegs": True, "gyro": [0, self.rate, 0],
            "acceleration": [self.pull * cos - self.G * sin, 0, self.pull * sin + self.G * cos],
            "attitude": [math.cos(self.pitch / 2), 0, math.sin(self.pitch / 2), 0],
            "wheelPosition": [self.position / self.RADIUS - self.pitch] * 2, "wheelVelocity": [self.wheel_velocity] * 2,
            "legPosition": [1.062, -1.527] * 2, "wheelTorqueApplied": applied, "wheelTorqueMeasured": applied, "battery": 24, "temperature": 35,
        }  # fmt: skip


# Programs ---------------------------------------------------------------------------------------------------------------------


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


class Line:
    """A tty, never waited for: what finds no room is lost whole, as on a wire that nobody listens to."""

    def __init__(self, path: Optional[str]) -> None:
        if path is None:
            self.fd, self.slave = os.openpty()  # the slave stays open here, so that hosts may come and go
            tty.setraw(self.slave)
            path = os.ttyname(self.slave)
        else:
            self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self.fd)
            attributes = termios.tcgetattr(self.fd)
            attributes[4] = attributes[5] = termios.B921600
            termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        os.set_blocking(self.fd, False)
        self.path = path
        self.rest = b""
        self.lost = 0

    def write(self, wire: bytes) -> None:
        self.flush()
        if self.rest:
            self.lost += 1
        else:
            self.rest = wire
            self.flush()

    def flush(self) -> None:
        try:
            self.rest = self.rest[os.write(self.fd, self.rest) :] if self.rest else b""
        except BlockingIOError:
            pass

    def read(self) -> bytes:
        try:
            return os.read(self.fd, 4096)
        except BlockingIOError:
            return b""


def serve(path: Optional[str]) -> None:
    """The MCU's clock and sequences start shortly before they wrap. Once the host answers, time stands still at each sample until that
    frame is answered, so nothing depends on the machine's speed; a host that owes an answer for 1 s is gone, and time runs on without it."""
    period, patience = 1 / Mcu.RATE, 1.0
    line = Line(path)

    def boot() -> Mcu:
        return Mcu(2**32 - 5_000_000, line.write, lambda event, **more: say(event=event, **more), sequence=65_000)

    say(event="port", path=line.path)
    mcu, plant = boot(), Plant()
    mcu.sample(plant.measure())
    sampled_at, lockstep, typed = time.monotonic(), False, b""
    while True:
        ready, _, _ = select.select([line.fd, 0], [], [], max(0.0, min(period, sampled_at + period - time.monotonic())) or 0.001)
        if line.fd in ready:
            mcu.receive(line.read())
        if 0 in ready:
            read = os.read(0, 4096)
            *verbs, typed = (typed + read).split(b"\n")
            for verb in map(json.loads, verbs):
                if verb["verb"] == "state":
                    offset = mcu.clock.report()
                    say(state=mcu.state, latch=mcu.latch, cause=mcu.cause, host=mcu.host, nonce=mcu.nonce, now=mcu.now, pitch=plant.pitch, position=plant.position,
                        fresh=mcu.fresh, counts=mcu.receiver.counts, refused=mcu.refused, clock=offset, unsent=line.lost)  # fmt: skip
                elif verb["verb"] == "stop-input":
                    mcu.press_stop(verb["pressed"])
                elif verb["verb"] == "fault":
                    mcu.set_faults(verb["bits"])
                elif verb["verb"] == "reset":
                    mcu = boot()
                elif verb["verb"] == "quit":
                    return
            if not read:
                return
        waited = time.monotonic() - sampled_at
        answered = mcu.heard == mcu.sequences["sensors"] - 1 & 0xFFFF
        lockstep = (answered or lockstep) and mcu.host != 0 and waited < patience
        if waited >= period and (answered or not lockstep):
            for _ in range(1000 // Mcu.RATE):
                mcu.step(1000)
                plant.step(0.001, mcu.wheel_torque(plant.wheel_velocity), held=mcu.state == "idle")
            mcu.sample(plant.measure())
            sampled_at = max(sampled_at + period, time.monotonic() - period)


def codec() -> None:
    for text in sys.stdin:
        asked = json.loads(text)
        if "decode" in asked:
            receiver = Receiver("mcu" if asked["from"] == "host" else "host")
            frames = [
                {"message": f.message.name, "sequence": f.sequence, "time": f.time, "payload": f.payload.hex(), "raw": f.raw, "values": to_values(f.message, f.raw)}
                for f in receiver.feed(bytes.fromhex(asked["decode"]))
            ]
            say(frames=frames, counts={name: count for name, count in receiver.counts.items() if count})
        elif "encode" in asked:
            frame = asked["encode"]
            message = BY_NAME[frame["message"]]
            raw = frame["raw"] if "raw" in frame else to_raw(message, frame["values"])
            say(wire=encode(message, frame["sequence"], frame["time"], raw).hex())
        else:
            clock = HostClock()
            for built, sampled, received in asked["clock"]:
                clock.answer(built, sampled, received)
            say(clock=clock.report())


def close(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return a == b


def vectors(path: str) -> int:
    """§12"""
    with open(path, encoding="utf-8") as file:
        held = json.load(file)
    wrong = []
    for index, want in enumerate(held["frames"]):
        message = BY_NAME[want["message"]]
        receiver = Receiver("mcu" if want["from"] == "host" else "host")
        frames = list(receiver.feed(bytes.fromhex(want["wire"])))
        right = (
            message.type == want["type"]
            and encode(message, want["sequence"], want["time"], want["raw"]).hex() == want["wire"]
            and len(frames) == 1
            and (frames[0].message, frames[0].sequence, frames[0].time) == (message, want["sequence"], want["time"])
            and frames[0].payload.hex() == want["payload"]
            and frames[0].raw == want["raw"]
            and all(close(value, want["values"][name]) for name, value in to_values(message, frames[0].raw).items())
        )
        if not right:
            wrong.append(f"frames[{index}] ({want['message']})")
    for index, want in enumerate(held["streams"]):
        receiver = Receiver("mcu" if want["from"] == "host" else "host")
        accepts = [{"type": f.message.type, "sequence": f.sequence} for f in receiver.feed(bytes.fromhex(want["wire"]))]
        if accepts != want["accepts"] or {name: n for name, n in receiver.counts.items() if n} != want["counts"]:
            wrong.append(f"streams[{index}]")
    print(f"{len(held['frames'])} frames, {len(held['streams'])} streams, wrong: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    mode, arguments = sys.argv[1:2], sys.argv[2:]
    if mode == ["vectors"] and len(arguments) == 1:
        sys.exit(vectors(arguments[0]))
    elif mode == ["codec"] and not arguments:
        codec()
    elif mode == ["serve"] and len(arguments) <= 1:
        serve(arguments[0] if arguments else None)
    else:
        sys.exit(__doc__)
