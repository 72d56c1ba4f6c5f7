"""A thermometer that measures what a scene file says: an emulated sensor on the wires, read by the real driver."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

from hardware.parts import ThermometerError
from hardware.scene import Scene, SceneError, load
from hardware.thermometer import mlx90614

JITTER_C = 0.05  # a living sensor's last digits move


class Sensor:
    """Answers on an I2C bus as an MLX90614 in that scene would."""

    def __init__(self, scene: Path) -> None:
        self._path = scene

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Return the low byte, the high byte and the PEC; raise OSError when unplugged."""
        scene = self._scene()
        if scene.thermometer == "unplugged" or i2c_addr != mlx90614.ADDRESS:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        high, low = divmod(_count(scene, register), 256)
        code = mlx90614.pec(mlx90614.transfer(i2c_addr, register, low, high))
        return [low, high, code ^ 0xFF if scene.thermometer == "bad_pec" else code][:length]

    def close(self) -> None:
        """Do nothing: there is no bus to give back."""

    def _scene(self) -> Scene:
        try:
            return load(self._path)
        except SceneError as error:
            raise ThermometerError(str(error)) from error


class Thermometer(mlx90614.Thermometer):
    """`source` is the scene file (hardware/scene.py)."""

    def __init__(self, *, source: str) -> None:
        if not source:
            raise ThermometerError("an emulated thermometer measures a scene file: name one in thermometer.source")
        super().__init__(bus=Sensor(Path(source)))


def _count(scene: Scene, register: int) -> int:
    """Return what the register holds, in the sensor's counts of 0.02 K."""
    celsius = scene.ambient_c
    if register == mlx90614.OBJECT and scene.forehead_c is not None:
        celsius = scene.forehead_c
    if scene.thermometer != "frozen":
        celsius += random.uniform(-JITTER_C, JITTER_C)
    return round((celsius + mlx90614.ZERO_C) / mlx90614.KELVIN_PER_COUNT)
