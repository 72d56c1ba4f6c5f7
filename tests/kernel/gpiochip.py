"""The GPIO chip of a Pi behind /dev/gpiochip0: version 2 of the character device's uAPI (linux/gpio.h).

Version 1 is refused, as by kernels built without it; lgpio 0.2 asks for version 2 only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
import time
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from tests.kernel.machine import Asked, Handle

LINES: Final = 54
CHIP_INFO, LINE_INFO, LINE_REQUEST = 0x8044B401, 0xC100B405, 0xC250B407
SET_CONFIG, GET_VALUES, SET_VALUES = 0xC110B40D, 0xC010B40E, 0xC010B40F

USED, ACTIVE_LOW, INPUT, OUTPUT, RISING, FALLING, OPEN_DRAIN, OPEN_SOURCE, UP, DOWN, NO_BIAS = (
    1 << bit for bit in range(11)
)
KNOWN: Final = (1 << 11) - 1
EDGES: Final = RISING | FALLING
BIAS: Final = UP | DOWN | NO_BIAS

CONFIG: Final = struct.Struct("=QI20x240s")  # flags, number of attributes, the attributes
ATTRIBUTE: Final = struct.Struct("=I4xQQ")  # kind, value, mask
REQUEST: Final = struct.Struct(f"=256s32s{CONFIG.size}sII20xi")
INFO: Final = struct.Struct("=32s32sIIQ176x")
VALUES: Final = struct.Struct("=QQ")
EVENT: Final = struct.Struct("=QIIII24x")
OUTPUT_VALUES, DEBOUNCE = 2, 3  # kinds of attributes
FIRST_UP: Final = 9  # GPIO 0 to 8 are pulled up when the power comes on, the others down

Level = Literal[0, 1] | None  # None: nothing holds the wire, which is then anything


class Moment(NamedTuple):
    """A new level on a wire, and when."""

    level: Level
    at: float  # monotonic seconds


class Pin:
    """One line, and the wire at it."""

    def __init__(self, number: int, resistor: Level) -> None:
        self.number = number
        self.flags = INPUT | (UP if number < FIRST_UP else DOWN)
        self.latch: Literal[0, 1] = 0  # what it drives as an output
        self.resistor = resistor  # on the board, weaker than any contact
        self.outside: Level = None  # a contact or a sensor that holds the wire
        self.holder: Request | None = None
        self.history = [Moment(self.level(), time.monotonic())]

    def level(self) -> Level:
        """Return what the wire is at."""
        if self.flags & OUTPUT:
            return self.latch
        if self.outside is not None or self.resistor is not None:
            return self.outside if self.outside is not None else self.resistor
        return 1 if self.flags & UP else 0 if self.flags & DOWN else None

    def settle(self, at: float | None = None) -> None:
        """Note a level that has changed, and tell whoever listens."""
        level, now = self.level(), at or time.monotonic()
        before = self.history[-1].level
        if level != before:
            self.history.append(Moment(level, now))
            if self.holder and level is not None and before is not None:
                self.holder.tell(self, level, now)


class Chip:
    """The pins. `resistors` are those on the board, by pin.

    `persist`: an output that is let go of stays as it was, as in the kernels of Raspberry Pi OS
    (raspberrypi/linux#6117); otherwise it becomes an input again, as in those of Debian.
    """

    def __init__(self, resistors: Mapping[int, Literal[0, 1]] | None = None, *, persist: bool = True) -> None:
        self.pins = [Pin(number, (resistors or {}).get(number)) for number in range(LINES)]
        self.persist = persist
        self.refusal = 0  # the error with which it cannot be opened
        self.dead = 0  # the error with which each ioctl fails
        self.lock = threading.RLock()

    def open(self) -> Handle:
        if self.refusal:
            raise refused(self.refusal)
        return Opened(self)

    def drive(self, pin: int, level: Level) -> None:
        """Hold a wire from outside, or let go of it."""
        with self.lock:
            self.pins[pin].outside = level
            self.pins[pin].settle()

    def chatter(self, pin: int, *levels: Level, each_s: float = 0.0005) -> None:
        """Let a worn contact have moved: all these levels up to now, told at once however busy this machine is."""
        with self.lock:
            moved, begun = self.pins[pin], time.monotonic() - each_s * (len(levels) - 1)
            if moved.holder:
                moved.holder.gather = True
            for turn, level in enumerate(levels):
                moved.outside = level
                moved.settle(begun + turn * each_s)
            if moved.holder:
                moved.holder.gather = False
                moved.holder.flush()

    def take(self, pin: int, consumer: str = "another") -> None:
        """Have a pin claimed by another program."""
        Request(self, [self.pins[pin]], consumer.encode())

    def level(self, pin: int) -> Level:
        """Return the level of a wire."""
        return self.pins[pin].history[-1].level

    def levels(self, pin: int) -> list[Level]:
        """Return every level a wire has had, in order."""
        return [moment.level for moment in list(self.pins[pin].history)]

    def held(self, pin: int) -> bool:
        """Tell whether a program has claimed the pin."""
        return self.pins[pin].holder is not None


class Opened:
    """The chip, opened."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip

    def closed(self) -> None:
        """Do nothing: lines outlive the descriptor they were had through."""

    def ioctl(self, request: int, address: int, call: Asked) -> int:
        with self._chip.lock:
            if self._chip.dead:
                raise refused(self._chip.dead)
            if request == CHIP_INFO:
                call.write(address, struct.pack("=32s32sI", b"gpiochip0", b"pinctrl-bcm2711", LINES))
            elif request == LINE_INFO:
                call.write(address, self._info(call.read(address, INFO.size)))
            elif request == LINE_REQUEST:
                call.write(address, self._request(call.read(address, REQUEST.size), call))
            else:
                raise refused(errno.EINVAL)
        return 0

    def _info(self, raw: bytes) -> bytes:
        _, _, number, _, _ = INFO.unpack(raw)
        if number >= LINES:
            raise refused(errno.EINVAL)
        pin = self._chip.pins[number]
        used, consumer = (USED, pin.holder.consumer) if pin.holder else (0, b"")
        return INFO.pack(f"GPIO{number}".encode(), consumer, number, 0, pin.flags | used)

    def _request(self, raw: bytes, call: Asked) -> bytes:
        offsets, consumer, config, count, buffered, _ = REQUEST.unpack(raw)
        numbers = struct.unpack_from(f"={count}I", offsets) if 1 <= count <= len(offsets) // 4 else ()
        if not numbers or max(numbers) >= LINES:
            raise refused(errno.EINVAL)
        pins = [self._chip.pins[number] for number in numbers]
        check(config)
        if any(pin.holder for pin in pins):
            raise refused(errno.EBUSY)
        request = Request(self._chip, pins, consumer.rstrip(b"\0"))
        try:
            number, request.events = call.give(request)
        except OSError:
            request.closed()
            raise
        request.configure(config)
        return REQUEST.pack(offsets, consumer, config, count, buffered, number)


class Request:
    """Lines that a program has claimed."""

    def __init__(self, chip: Chip, pins: list[Pin], consumer: bytes) -> None:
        self.consumer = consumer
        self.events = -1  # where edges are written to
        self._chip = chip
        self._pins = pins
        self.gather = False  # edges wait for `flush`
        self._waiting = b""
        self._told = 0
        for pin in pins:
            pin.holder = self

    def configure(self, raw: bytes) -> None:
        """Set direction, bias, edges and output values at once, as the kernel does."""
        flags, _, _ = CONFIG.unpack(raw)
        values = outputs(raw)
        for index, pin in enumerate(self._pins):
            if flags & OUTPUT:
                pin.latch = 1 if values >> index & 1 else 0
            bias = flags & BIAS or pin.flags & BIAS  # without a word about it, it stays
            pin.flags = flags & ~BIAS | bias
            pin.settle()

    def tell(self, pin: Pin, level: Level, at: float) -> None:
        """Write an edge, if it was asked for."""
        if self.events >= 0 and pin.flags & (RISING if level else FALLING):
            self._told += 1
            self._waiting += EVENT.pack(round(at * 1e9), 1 if level else 2, pin.number, self._told, self._told)
            if not self.gather:
                self.flush()

    def flush(self) -> None:
        """Hand over the edges that wait, in one piece."""
        if self._waiting:
            with contextlib.suppress(BrokenPipeError):  # who listened has just died
                os.write(self.events, self._waiting)
        self._waiting = b""

    def ioctl(self, request: int, address: int, call: Asked) -> int:
        with self._chip.lock:
            if self._chip.dead:
                raise refused(self._chip.dead)
            if request == GET_VALUES:
                _, mask = VALUES.unpack(call.read(address, VALUES.size))
                bits = sum(1 << index for index, pin in enumerate(self._pins) if mask >> index & 1 and pin.level())
                call.write(address, VALUES.pack(bits, mask))
            elif request == SET_VALUES:
                self._set(*VALUES.unpack(call.read(address, VALUES.size)))
            elif request == SET_CONFIG:
                config = call.read(address, CONFIG.size)
                check(config)
                self.configure(config)
            else:
                raise refused(errno.EINVAL)
        return 0

    def _set(self, bits: int, mask: int) -> None:
        chosen = [(pin, bits >> index & 1) for index, pin in enumerate(self._pins) if mask >> index & 1]
        if not chosen:
            raise refused(errno.EINVAL)
        if not all(pin.flags & OUTPUT for pin, _ in chosen):
            raise refused(errno.EPERM)
        for pin, value in chosen:
            pin.latch = 1 if value else 0
            pin.settle()

    def closed(self) -> None:
        """Let go of the lines: the program closed them, or died."""
        with self._chip.lock:
            for pin in self._pins:
                pin.holder = None
                pin.flags &= ~EDGES
                if pin.flags & OUTPUT and not self._chip.persist:
                    pin.flags = pin.flags & ~OUTPUT | INPUT
                pin.settle()


def check(config: bytes) -> None:
    """Refuse what the kernel's gpio_v2_line_config_validate() refuses."""
    flags, attributes, _ = CONFIG.unpack(config)
    biases = (flags & BIAS).bit_count()
    wrong = (
        flags & ~KNOWN
        or attributes > 10
        or (flags & INPUT and flags & OUTPUT)
        or (flags & EDGES and not flags & INPUT)
        or (flags & (OPEN_DRAIN | OPEN_SOURCE) and not flags & OUTPUT)
        or (flags & OPEN_DRAIN and flags & OPEN_SOURCE)
        or (biases and not flags & (INPUT | OUTPUT))
        or biases > 1
    )
    if wrong:
        raise refused(errno.EINVAL)


def outputs(config: bytes) -> int:
    """Return the output values of a configuration, one bit a line."""
    _, count, attributes = CONFIG.unpack(config)
    found = [ATTRIBUTE.unpack_from(attributes, index * ATTRIBUTE.size) for index in range(count)]
    return next((value & mask for kind, value, mask in found if kind == OUTPUT_VALUES), 0)


def refused(number: int) -> OSError:
    """Return the error of that number."""
    return OSError(number, os.strerror(number))
