"""What a motor controller does (PROTOCOL.md §4 to §8, §10.2), written from that page alone; see independent_mcu.py."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from typing import Any, Callable, NamedTuple, Optional

from independent_wire import BY_NAME, LATCH_CAUSE, PROTOCOL_VERSION, SCHEMA_HASH, Frame, Receiver, encode, to_raw, to_values

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

    def __init__(self, now: int, send: Callable[[bytes], None], report: Callable[..., None], sequence: int = 0, nonce: Optional[int] = None) -> None:
        self.now = now
        self.write = send
        self.report = report
        self.receiver = Receiver("mcu")
        self.refused: Counter = Counter()
        self.sequences: defaultdict = defaultdict(lambda: sequence)  # by message, §2.2
        self.nonce = nonce or random.getrandbits(32) or 1
        self.host = 0  # nonce of the host in charge
        self.clock = HostClock()
        self.last: Optional[Command] = None
        self.heard = -1  # the frame that the host in charge answered last, whatever became of its command
        self.recent: deque = deque(maxlen=64)  # sequence and sampling of the last `sensors`
        self.unanswered: deque = deque(maxlen=64)  # those of them that were sent after the frame answered last
        self.state = "idle"
        self.cause = "none"
        self.latch = self.latched_at = self.faults_at_latch = self.repeat_at = self.brakes_until = 0
        self.estop_sequence = 0
        self.faults = 0
        self.stop_input = False
        self.hello()  # §4.2

    def send(self, kind: str, /, **raw: Any) -> int:
        sequence = self.sequences[kind] & 0xFFFF
        self.sequences[kind] += 1
        self.write(encode(BY_NAME[kind], sequence, self.now, raw))
        return sequence

    def hello(self) -> None:
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
            self.unanswered = deque((sequence for sequence, _ in self.recent), maxlen=64)
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
        while self.unanswered.popleft() != answers:
            pass
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
        if raw["answers"] not in self.unanswered:
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

    def wheel_torque(self, velocity: list) -> list:
        """[N·m] for the next millisecond, left and right, from the wheels' velocity [rad/s]."""
        if self.state == "active" and self.last and self.fresh:  # §6.2
            asked = self.last.values["wheelTorque"]
        elif self.state in ("active", "braking"):  # §6.3
            asked = [-self.BRAKE_DAMPING * side for side in velocity]
        else:
            asked = [0.0, 0.0]
        return [max(-self.WHEEL_TORQUE_PEAK, min(self.WHEEL_TORQUE_PEAK, torque)) for torque in asked]  # §5.3

    def sample(self, measured: dict) -> None:
        answered = self.last.answers if self.last else 0
        values = {**measured, "state": self.state, "commandFresh": self.fresh, "answered": answered}
        sequence = self.send("sensors", **to_raw(BY_NAME["sensors"], values), faults=self.faults)
        self.recent.append((sequence, self.now))
        self.unanswered.append(sequence)
