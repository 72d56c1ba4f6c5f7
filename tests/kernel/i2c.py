"""An I2C bus behind /dev/i2c-1 (linux/i2c-dev.h), and the MLX90614 on it, as its data sheet has it."""

from __future__ import annotations

import errno
import struct
from collections import deque
from typing import Final, Literal, Protocol

from tests.kernel.gpiochip import refused
from tests.kernel.machine import Asked, Handle

SLAVE, SLAVE_FORCE, FUNCTIONS, READ_WRITE, PEC, SMBUS = 0x0703, 0x0706, 0x0705, 0x0707, 0x0708, 0x0720
CAPABLE: Final = 0x0EFF0001  # plain I2C, and all of SMBus that is emulated with it
TRANSFER: Final = struct.Struct("=BB2xIQ")  # struct i2c_smbus_ioctl_data
MESSAGE: Final = struct.Struct("=HHH2xQ")  # struct i2c_msg
READ: Final = 1
QUICK, BYTE, BYTE_DATA, WORD, BLOCK = 0, 1, 2, 3, 8  # kinds of SMBus transfers; the last is read by length
LONGEST: Final = 32

Trouble = Literal["", "absent", "checksum", "garbled", "stretched", "stuck"]
ERRORS: Final[dict[Trouble, int]] = {  # what i2c-bcm2835 makes of it
    "absent": errno.EREMOTEIO,  # nobody acknowledges the address
    "stretched": errno.EIO,  # the clock was held low for longer than the controller waits
    "stuck": errno.ETIMEDOUT,  # a line of the bus is held low, and nothing moves
}


class Chip(Protocol):
    """What answers at an address."""

    def transfer(self, address: int, written: bytes, wanted: int) -> bytes:
        """Take what is written, then give so many bytes in the same transfer; raise OSError where it fails."""


class Bus:
    """The bus, and what is on it by address."""

    def __init__(self, chips: dict[int, Chip]) -> None:
        self.chips = chips
        self.refusal = 0  # the error with which it cannot be opened
        self.transfers = 0

    def open(self) -> Handle:
        if self.refusal:
            raise refused(self.refusal)
        return Opened(self)

    def transfer(self, address: int, written: bytes, wanted: int) -> bytes:
        self.transfers += 1
        if address not in self.chips:
            raise refused(errno.EREMOTEIO)
        return self.chips[address].transfer(address, written, wanted)


class Opened:
    """The bus, opened, and the address its SMBus transfers go to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._address = 0

    def closed(self) -> None:
        """Do nothing: the bus needs no goodbye."""

    def ioctl(self, request: int, address: int, call: Asked) -> int:
        if request in (SLAVE, SLAVE_FORCE):
            self._address = address
        elif request == FUNCTIONS:
            call.write(address, struct.pack("=Q", CAPABLE))
        elif request == SMBUS:
            self._smbus(call.read(address, TRANSFER.size), call)
        elif request == READ_WRITE:
            return self._messages(address, call)
        elif request != PEC or address:  # checksums are the drivers' own business here
            raise refused(errno.EINVAL)
        return 0

    def _smbus(self, raw: bytes, call: Asked) -> None:
        direction, command, kind, data = TRANSFER.unpack(raw)
        if direction != READ or kind not in (QUICK, BYTE, BYTE_DATA, WORD, BLOCK):
            raise refused(errno.EOPNOTSUPP)
        wanted = {QUICK: 0, BYTE: 1, BYTE_DATA: 1, WORD: 2}.get(kind)
        if wanted is None:
            wanted = call.read(data, 1)[0]
            if not 1 <= wanted <= LONGEST:
                raise refused(errno.EINVAL)
        written = b"" if kind in (QUICK, BYTE) else bytes((command,))
        answer = self._bus.transfer(self._address, written, wanted)
        if kind == BLOCK:
            answer = bytes((wanted,)) + answer
        if answer:
            call.write(data, answer)

    def _messages(self, address: int, call: Asked) -> int:
        """Carry out one write and one read as one transfer, or either alone."""
        where: int
        count: int
        where, count = struct.unpack("=QI", call.read(address, 12))
        raw = call.read(where, count * MESSAGE.size)
        messages = [MESSAGE.unpack_from(raw, index * MESSAGE.size) for index in range(count)]
        written, answer = b"", b""
        for to, flags, length, buffer in messages:
            if flags & READ:
                answer = self._bus.transfer(to, written, length)
                call.write(buffer, answer)
            else:
                written += call.read(buffer, length)
        if not answer:
            self._bus.transfer(messages[-1][0], written, 0)
        return count


class Mlx90614:
    """The infrared thermometer. `next` are the troubles of the transfers to come, `trouble` is that of all others."""

    def __init__(self, object_c: float = 36.65, ambient_c: float = 24.01) -> None:
        self.object_c = object_c
        self.ambient_c = ambient_c
        self.trouble: Trouble = ""
        self.next: deque[Trouble] = deque()

    def transfer(self, address: int, written: bytes, wanted: int) -> bytes:
        trouble = self.next.popleft() if self.next else self.trouble
        if trouble in ERRORS:
            raise refused(ERRORS[trouble])
        registers = {0x06: self.ambient_c, 0x07: self.object_c}
        if not wanted:
            return b""
        if written[:1] and written[0] not in registers:
            raise refused(errno.EREMOTEIO)
        register = written[0] if written else 0x06
        count = round((registers[register] + 273.15) / 0.02)
        low, high = count & 0xFF, count >> 8
        code = crc8(bytes((address << 1, register, address << 1 | 1, low, high)))
        if trouble == "garbled":  # a bit lost on a long cable, after the sensor had reckoned its checksum
            high ^= 0x02
        if trouble == "checksum":
            code ^= 0x10
        return (bytes((low, high, code)) + b"\xff" * wanted)[:wanted]


def crc8(message: bytes) -> int:
    """x^8 + x^2 + x + 1, reckoned as a long division, apart from the driver's own."""
    number = int.from_bytes(message) << 8
    for bit in range(number.bit_length() - 1, 7, -1):
        if number >> bit & 1:
            number ^= 0x107 << (bit - 8)
    return number
