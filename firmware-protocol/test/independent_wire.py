"""Framing, tables and a receiver's rules (PROTOCOL.md §2, §3, §13, §14), written from that page alone; see independent_mcu.py."""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter
from typing import Any, Iterator, NamedTuple, Optional

# Tables -----------------------------------------------------------------------------------------------------------------------

PROTOCOL_VERSION = 1
SCHEMA_HASH = 0xA1F8684E
LONGEST_PAYLOAD = 96

MCU_STATE = ["idle", "active", "braking", "limp", "estopped", "faulted"]
REQUESTED_STATE = ["idle", "active", "braking", "limp"]
LATCH_CAUSE = ["none", "watchdog", "estop", "fault"]
# Bits of sensors.status: name, lowest bit, width, names of an enum's values.
STATUS = [("state", 0, 3, MCU_STATE), ("hasAttitude", 3, 1, None), ("hasWheelTorque", 4, 1, None), ("hasLegs", 5, 1, None), ("commandFresh", 6, 1, None)]  # fmt: skip


class Field(NamedTuple):
    name: str
    code: str  # of struct: B u8, b i8, H u16, h i16, I u32, i i32, s text
    count: int = 1
    resolution: float = 1
    enum: Optional[list] = None
    bits: Optional[list] = None  # fields within the integer


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
        Field("wheelTorqueMeasured", "h", 2, 0.001), Field("legTorque", "b", 4, 0.2), Field("faults", "H"),
        Field("battery", "B", resolution=0.25), Field("temperature", "B"),
    ]),
    Message("command", 0x20, "host", 45, [
        Field("session", "I"), Field("answers", "H"), Field("timeToLive", "H", resolution=10), Field("requestedState", "B", enum=REQUESTED_STATE),
        Field("wheelTorque", "h", 2, 0.001), Field("legPosition", "h", 4, 0.0001), Field("legVelocity", "h", 4, 0.002),
        Field("legTorque", "h", 4, 0.001), Field("legStiffness", "B", 4), Field("legDamping", "B", 4, 0.1),
    ]),
    Message("estop", 0x30, "host", 1, [Field("reason", "B")]),
    Message("estopEcho", 0x31, "mcu", 8, [Field("latch", "H"), Field("latchedAt", "I"), Field("estopSequence", "H")]),
    Message("fault", 0x32, "mcu", 9, [Field("latch", "H"), Field("cause", "B", enum=LATCH_CAUSE), Field("faults", "H"), Field("latchedAt", "I")]),
    Message("clear", 0x33, "host", 6, [Field("session", "I"), Field("latch", "H")]),
]  # fmt: skip
BY_NAME = {message.name: message for message in MESSAGES}
BY_TYPE = {message.type: message for message in MESSAGES}

# Payloads ---------------------------------------------------------------------------------------------------------------------


def pack(message: Message, raw: dict) -> bytes:
    """Payload of `raw`: integers as they are on the wire, fields of bits one by one, text as it is; what is missing is 0."""
    numbers: list = []
    for field in message.fields:
        value = raw.get(field.name, "" if field.code == "s" else 0)
        if field.code == "s":
            # §2.6: cut at a whole character; struct pads with zeros
            numbers.append(value.encode()[: field.count].decode(errors="ignore").encode())
        elif field.bits:
            numbers.append(sum(raw.get(name, 0) << low for name, low, _, _ in field.bits))
        else:
            numbers.extend(value if isinstance(value, list) else [value] * field.count)
    return message.struct.pack(*numbers)


def unpack(message: Message, payload: bytes) -> dict:
    numbers = list(message.struct.unpack(payload))
    raw: dict = {}
    for field in message.fields:
        number = numbers.pop(0)
        if field.code == "s":
            raw[field.name] = number.split(b"\0")[0].decode(errors="replace")
        elif field.bits:
            raw.update({name: number >> low & (1 << width) - 1 for name, low, width, _ in field.bits})
        else:
            raw[field.name] = number if field.count == 1 else [number] + [numbers.pop(0) for _ in range(field.count - 1)]
    return raw


def quantise(field: Field, value: float) -> int:
    """§2.6: nearest, saturated at the ends of the type."""
    bits = 8 * struct.calcsize(field.code)
    low, high = (0, 2**bits - 1) if field.code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return math.floor(min(max(value / field.resolution, low), high) + 0.5)


def enums(message: Message) -> Iterator[tuple]:
    """Name of each field that is an enum, and the names of its values."""
    for field in message.fields:
        yield from ((name, names) for name, _, _, names in field.bits or [(field.name, 0, 0, field.enum)] if names)


def to_raw(message: Message, values: dict) -> dict:
    """Of physical values, names of enums; what is missing stays so."""
    raw = {**values, **{name: names.index(values[name]) for name, names in enums(message) if name in values}}
    for field in message.fields:
        if field.bits:
            raw.update({name: int(raw[name]) for name, _, _, _ in field.bits if name in raw})
        elif field.code != "s" and not field.enum and field.name in raw:
            value = raw[field.name]
            raw[field.name] = [quantise(field, v) for v in value] if isinstance(value, (list, tuple)) else quantise(field, value)
    return raw


def to_values(message: Message, raw: dict) -> dict:
    values = {**raw, **{name: names[raw[name]] for name, names in enums(message)}}
    for field in message.fields:
        if field.bits:
            values.update({name: raw[name] == 1 for name, _, _, names in field.bits if not names})
        elif field.resolution != 1:
            value = raw[field.name]
            values[field.name] = [v * field.resolution for v in value] if isinstance(value, list) else value * field.resolution
    return values


def has_unknown_value(message: Message, raw: dict) -> bool:
    """§3.9; bits without a name are ignored (§2.6)."""
    return any(raw[name] >= len(names) for name, names in enums(message))


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
    before = b"\0" if message.name in ("hello", "estop") else b""  # §2.5
    return before + stuff(frame + struct.pack("<I", zlib.crc32(frame))) + b"\0"


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
