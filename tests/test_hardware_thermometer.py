"""The thermometers: one contract, over an emulated sensor and over a bus with a sensor's own troubles."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware.parts import Reading, Thermometer, ThermometerError
from hardware.scene import Scene, ThermometerState, save
from hardware.thermometer import emulated, mlx90614

BODY_C, ROOM_C = 36.65, 24.01  # both whole counts of the sensor


def counts(celsius: float) -> int:
    return round((celsius + 273.15) / 0.02)


class Wires:
    """An I2C bus with one sensor on it. `object_counts` are given one after the other, the last one for ever."""

    def __init__(self, *object_counts: int) -> None:
        self.state: ThermometerState = "ok"
        self.object_counts = list(object_counts) or [counts(BODY_C)]
        self.lost = 0  # so many transfers get no answer
        self.garbled = 0  # and then so many arrive with a flipped bit
        self.asked = 0
        self.closed = False

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        self.asked += 1
        if self.state == "unplugged" or i2c_addr != 0x5A or self.asked <= self.lost:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        count = counts(ROOM_C) if register == 0x06 else self._next()
        code = crc8([0x5A << 1, register, 0x5A << 1 | 1, count & 0xFF, count >> 8])
        if self.state == "bad_pec" or self.asked <= self.lost + self.garbled:
            code ^= 0x10
        return [count & 0xFF, count >> 8, code][:length]

    def close(self) -> None:
        self.closed = True

    def _next(self) -> int:
        return self.object_counts.pop(0) if len(self.object_counts) > 1 else self.object_counts[0]


def crc8(message: list[int]) -> int:
    """x^8 + x^2 + x + 1, reckoned as a long division, apart from the driver's own."""
    number = int.from_bytes(bytes(message)) << 8
    for bit in range(number.bit_length() - 1, 7, -1):
        if number >> bit & 1:
            number ^= 0x107 << (bit - 8)
    return number


World = tuple[Thermometer, Callable[[ThermometerState], None]]


def drawn(tmp_path: Path) -> World:
    def become(state: ThermometerState) -> None:
        save(tmp_path / "scene.json", Scene(forehead_c=BODY_C, ambient_c=ROOM_C, thermometer=state))

    become("ok")
    return emulated.Thermometer(source=str(tmp_path / "scene.json")), become


def wired(_: Path) -> World:
    wires = Wires()

    def become(state: ThermometerState) -> None:
        wires.state = state

    return mlx90614.Thermometer(bus=wires), become


@pytest.fixture(params=[drawn, wired])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    thermometer, become = request.param(tmp_path)
    yield thermometer, become
    thermometer.close()


def test_every_thermometer_measures_object_and_room(world: World) -> None:
    thermometer, _ = world
    reading = thermometer.read()
    assert reading.object_c == pytest.approx(BODY_C, abs=0.07)
    assert reading.ambient_c == pytest.approx(ROOM_C, abs=0.07)


@pytest.mark.parametrize(("state", "said"), [("unplugged", "check its four wires"), ("bad_pec", "wrong checksums")])
def test_a_sensor_that_cannot_be_believed_is_an_error_until_it_can(
    world: World, state: ThermometerState, said: str
) -> None:
    thermometer, become = world
    become(state)
    with pytest.raises(ThermometerError, match=f"0x5a cannot be read: .*{said}"):
        thermometer.read()
    become("ok")
    assert thermometer.read().object_c == pytest.approx(BODY_C, abs=0.07)


def test_a_frozen_sensor_repeats_itself_to_the_last_digit(world: World) -> None:
    thermometer, become = world
    become("frozen")
    assert len({thermometer.read() for _ in range(20)}) == 1


def test_a_living_emulated_sensor_never_rests(tmp_path: Path) -> None:
    thermometer, _ = drawn(tmp_path)
    assert len({thermometer.read() for _ in range(20)}) > 1


def test_nobody_before_the_emulated_sensor_is_the_wall(tmp_path: Path) -> None:
    thermometer = emulated.Thermometer(source=str(tmp_path / "scene.json"))
    assert thermometer.read().object_c == pytest.approx(24.0, abs=0.07)


def test_a_broken_scene_is_a_thermometer_error(tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text("{")
    with pytest.raises(ThermometerError, match=r"scene\.json: not a scene"):
        emulated.Thermometer(source=str(tmp_path / "scene.json")).read()
    with pytest.raises(ThermometerError, match=r"thermometer\.source"):
        emulated.Thermometer(source="")


@pytest.mark.parametrize(("lost", "garbled"), [(2, 0), (0, 2), (1, 1)])
def test_a_transfer_that_fails_twice_is_tried_a_third_time(lost: int, garbled: int) -> None:
    wires = Wires()
    wires.lost, wires.garbled = lost, garbled
    assert mlx90614.Thermometer(bus=wires).read() == Reading(BODY_C, ROOM_C)


@pytest.mark.parametrize(("lost", "garbled"), [(3, 0), (0, 3), (2, 1)])
def test_a_transfer_that_fails_three_times_is_no_reading(lost: int, garbled: int) -> None:
    wires = Wires()
    wires.lost, wires.garbled = lost, garbled
    with pytest.raises(ThermometerError):
        mlx90614.Thermometer(bus=wires).read()
    assert wires.asked == 3


def test_one_wild_reading_does_not_move_the_median() -> None:
    assert mlx90614.Thermometer(bus=Wires(counts(36.49), counts(80), counts(36.61))).read().object_c == 36.61
    assert mlx90614.Thermometer(bus=Wires(counts(36.49), counts(5), counts(36.61))).read().object_c == 36.49


def test_a_reading_the_sensor_itself_flags_is_no_reading() -> None:
    with pytest.raises(ThermometerError, match="flags its own measurement"):
        mlx90614.Thermometer(bus=Wires(0x8000 | counts(36.49))).read()


def test_the_checksum_is_the_makers() -> None:
    # Melexis, application note 390119061402, page 19: erasing register 0x0E at address 0x00, and writing 0x5A to it.
    assert mlx90614.pec(bytes.fromhex("002E0000")) == 0x6F
    assert mlx90614.pec(bytes.fromhex("002E5A00")) == 0xE1
    assert mlx90614.transfer(0x5A, 0x07, 0xD2, 0x3A) == bytes.fromhex("B407B5D23A")


def test_a_bus_that_is_not_there_names_the_fix() -> None:
    with pytest.raises(ThermometerError, match="raspi-config"):
        mlx90614.Thermometer(bus=199)


def test_closing_gives_the_bus_back() -> None:
    wires = Wires()
    mlx90614.Thermometer(bus=wires).close()
    assert wires.closed
