#!/usr/bin/env python3
"""A second motor controller, written from PROTOCOL.md alone: no generated file, no code shared with the host or the C library.

Its tables are copied by hand from that page, so it disagrees with the other implementations wherever the page misleads,
and wherever messages.yaml moves on without it. Python 3.9 or newer, standard library only.

    independent_mcu.py vectors FILE   is this implementation right by vectors.json (§12)?
    independent_mcu.py codec          JSON lines: {"decode": hex, "from": "host"}, {"encode": {...}}, {"clock": [[h, s, r], ...]},
                                      {"mcu": {...}}
    independent_mcu.py serve [PORT]   an MCU with a robot on that tty, or on a new pty; JSON lines in (verbs) and out (what happens)
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
import termios
import time
import tty
from typing import Any, Optional

sys.dont_write_bytecode = True

from independent_core import HostClock, Mcu
from independent_plant import Plant
from independent_wire import BY_NAME, Receiver, encode, to_raw, to_values

def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


class Line:
    """A tty, never waited for: what finds no room is lost whole, as on a wire that nobody listens to."""

    def __init__(self, path: Optional[str]) -> None:
        if path is None:
            # The lowest numbers were given back just now, and somebody's host may still look for its robot there.
            self.spare = [os.openpty() for _ in range(4)]
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
    """The MCU's clock and sequences start shortly before they wrap. Once a host answers, time stands still at each sample until that frame
    is answered and then goes on at once, so nothing depends on the machine's speed. From a host that owes an answer for 1 s none is
    expected, and time goes at its real pace as before the first answer."""
    period, patience = 1 / Mcu.RATE, 1.0
    line = Line(path)

    def boot() -> Mcu:
        return Mcu(2**32 - 5_000_000, line.write, lambda event, **more: say(event=event, **more), sequence=65_000)

    say(event="port", path=line.path)
    mcu, plant = boot(), Plant()
    mcu.sample(plant.measure())
    sampled_at, lockstep, heard, typed = time.monotonic(), False, -1, b""
    while True:
        due = sampled_at + (patience if lockstep else period) - time.monotonic()
        ready, _, _ = select.select([line.fd, 0], [], [], max(0.0, due))
        if line.fd in ready:
            mcu.receive(line.read())
        if 0 in ready:
            read = os.read(0, 4096)
            *verbs, typed = (typed + read).split(b"\n")
            for verb in map(json.loads, verbs):
                if verb["verb"] == "state":
                    offset = mcu.clock.report()
                    say(state=mcu.state, latch=mcu.latch, cause=mcu.cause, host=mcu.host, nonce=mcu.nonce, now=mcu.now, pitch=plant.pitch, position=plant.position,
                        fresh=mcu.fresh, counts=+mcu.receiver.counts, refused=+mcu.refused, clock=offset, unsent=line.lost)  # fmt: skip
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
        answered = mcu.heard == (mcu.sequences["sensors"] - 1) & 0xFFFF
        lockstep = (lockstep or mcu.heard not in (-1, heard)) and waited < patience
        heard = mcu.heard
        if answered if lockstep else waited >= period:
            for _ in range(1000 // Mcu.RATE):
                plant.step(0.001, mcu.wheel_torque([plant.wheel_velocity] * 2), held=mcu.state == "idle")
                mcu.step(1000)
            mcu.sample(plant.measure())
            sampled_at = time.monotonic() if lockstep else max(sampled_at + period, time.monotonic() - period)


def rehearse(script: dict) -> dict:
    """An MCU on a bench that goes through the steps, [what, value]. @returns after each step what it sent, its state and its torque"""
    sent: list = []
    mcu = Mcu(script["now"], sent.append, lambda *_, **__: None, script["sequence"], script["nonce"])
    torque, elapsed, seen = [0.0, 0.0], 0, []
    for what, value in script["steps"]:
        if what == "receive":
            mcu.receive(bytes.fromhex(value))
        elif what == "faults":
            mcu.set_faults(value)
        for _ in range(value if what == "advance" else 0):
            torque = mcu.wheel_torque(script["wheelVelocity"])
            mcu.step(1000)
            elapsed += 1
            if elapsed % (1000 // Mcu.RATE) == 0:
                mcu.sample({})
        seen.append({"sent": b"".join(sent).hex(), "state": mcu.state, "torque": torque})
        sent.clear()
    return {"seen": seen, "refused": +mcu.refused}


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
        elif "mcu" in asked:
            say(**rehearse(asked["mcu"]))
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
    for want in held["frames"]:
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
            wrong.append(want["name"])
    for want in held["streams"]:
        receiver = Receiver("mcu" if want["from"] == "host" else "host")
        accepts = [{"type": f.message.type, "sequence": f.sequence} for f in receiver.feed(bytes.fromhex(want["wire"]))]
        if accepts != want["accepts"] or {name: n for name, n in receiver.counts.items() if n} != want["counts"]:
            wrong.append(want["name"])
    say(frames=len(held["frames"]), streams=len(held["streams"]), wrong=wrong)
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
