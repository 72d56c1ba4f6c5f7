"""The MLX90614 infrared thermometer, on I2C. Registers, units and checksum are those of Melexis' data sheet."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final, Protocol

from smbus2 import SMBus

from hardware.parts import Reading, ThermometerError

ADDRESS: Final = 0x5A
AMBIENT: Final = 0x06
OBJECT: Final = 0x07
ERROR: Final = 0x8000  # set in a reading that the sensor itself does not believe
KELVIN_PER_COUNT: Final = 0.02
ZERO_C: Final = 273.15
TRIES: Final = 3
READS: Final = 3


class Bus(Protocol):
    """What is asked of an I2C bus, in smbus2's words."""

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> Sequence[int]:
        """Write the register's number, then, without letting go of the bus, read that many bytes."""

    def close(self) -> None:
        """Give the bus back."""


def pec(message: bytes) -> int:
    """Return the SMBus packet error code: CRC-8, polynomial 0x07, over every byte of the transfer in order."""
    code = 0
    for byte in message:
        code ^= byte
        for _ in range(8):
            code = (code << 1) ^ (0x107 if code & 0x80 else 0)
    return code


def transfer(address: int, register: int, low: int, high: int) -> bytes:
    """Return the bytes of one word's transfer, over which its PEC is reckoned."""
    return bytes((address << 1, register, address << 1 | 1, low, high))


class Thermometer:
    """Reads object and ambient temperature. `bus` is the I2C bus's number, or the bus itself."""

    def __init__(self, *, bus: int | Bus = 1, address: int = ADDRESS) -> None:
        self._address = address
        try:
            self._bus: Bus = SMBus(bus) if isinstance(bus, int) else bus
        except OSError as error:
            raise ThermometerError(
                f"I2C bus {bus} cannot be opened: {error.strerror}; switch it on (raspi-config, Interfaces, I2C) and "
                "put the user into group i2c"
            ) from error

    def read(self) -> Reading:
        """Return the median of three readings, which one disturbed reading cannot move.

        Raise ThermometerError when the sensor does not answer, or not once without error in three tries.
        """
        return Reading(object_c=self._celsius(OBJECT), ambient_c=self._celsius(AMBIENT))

    def close(self) -> None:
        """Give the bus back."""
        self._bus.close()

    def _celsius(self, register: int) -> float:
        count = median(self._count(register) for _ in range(READS))
        return round(count * KELVIN_PER_COUNT - ZERO_C, 2)

    def _count(self, register: int) -> int:
        problem = ""
        for _ in range(TRIES):
            try:
                low, high, code = self._bus.read_i2c_block_data(self._address, register, 3)
            except OSError as error:
                problem = f"{error.strerror}; check its four wires"
                continue
            count = high << 8 | low
            if code != pec(transfer(self._address, register, low, high)):
                problem = "wrong checksums; shorten the cable or lower the I2C clock (dtparam=i2c_arm_baudrate=50000)"
            elif count & ERROR:
                problem = "it flags its own measurement as wrong; take away what heats or blinds it"
            else:
                return count
        raise ThermometerError(f"the thermometer at 0x{self._address:02x} cannot be read: {problem}")
