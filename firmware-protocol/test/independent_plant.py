"""A robot for independent_mcu.py, so crude that it needs no simulator."""

from __future__ import annotations

import math

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
