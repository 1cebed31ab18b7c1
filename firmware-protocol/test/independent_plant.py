"""A robot for independent_mcu.py, so crude that it needs no simulator."""

from __future__ import annotations

import math
import random

class Plant:
    """A wheeled inverted pendulum in the plane, after models/robots/wheel-legged.yaml; somebody holds it while the MCU is idle."""

    BODY, WHEEL, SPIN, INERTIA = 11.0, 0.5, 0.00151, 0.0972  # kg, kg, kg·m², kg·m²; two wheels
    RADIUS, HEIGHT, FRICTION, G = 0.065, 0.227 - 0.065, 0.03, 9.81  # m, m above the axle, N·m a wheel, m/s²
    HELD, FALLEN, LIFT = 0.02, 1.2, 1.0  # pitch [rad], and how fast it is lifted [rad/s]
    GYRO_NOISE, ACCELERATION_NOISE, ATTITUDE_NOISE = 0.01, 0.05, 0.001  # rad/s, m/s², rad

    def __init__(self) -> None:
        self.pitch, self.rate, self.position, self.speed, self.pull = self.HELD, 0.0, 0.0, 0.0, 0.0
        self.torques: list = []
        self.random = random.Random(1)

    @property
    def wheel_velocity(self) -> float:
        return self.speed / self.RADIUS - self.rate  # relative to the shank

    def step(self, seconds: float, torque: list, held: bool) -> None:
        self.torques.append(torque)
        if held:  # somebody lifts it, no faster than a gyro can follow
            self.speed, self.pull = 0.0, 0.0
            turn = min(max(self.HELD - self.pitch, -self.LIFT * seconds), self.LIFT * seconds)
            self.pitch, self.rate = self.pitch + turn, turn / seconds
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
        noise = self.random.gauss  # a sample that repeats the one before to the last bit is that of a dead IMU
        gyro = [rate + noise(0, self.GYRO_NOISE) for rate in (0, self.rate, 0)]
        force = (self.pull * cos - self.G * sin, 0, self.pull * sin + self.G * cos)
        half = (self.pitch + noise(0, self.ATTITUDE_NOISE)) / 2
        return {
            "hasAttitude": True, "hasLegs": True, "gyro": gyro,
            "acceleration": [each + noise(0, self.ACCELERATION_NOISE) for each in force],
            "attitude": [math.cos(half), 0, math.sin(half), 0],
            "wheelPosition": [self.position / self.RADIUS - self.pitch] * 2, "wheelVelocity": [self.wheel_velocity] * 2,
            "legPosition": [1.062, -1.527] * 2, "wheelTorqueApplied": applied, "wheelTorqueMeasured": applied, "battery": 24, "temperature": 35,
        }  # fmt: skip
