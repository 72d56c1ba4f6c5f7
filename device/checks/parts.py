"""The wired parts and the thermometer: whether each can be had, and is as it should be while nobody uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from device.config import Config, PinsSection
from device.wire.checkup import Finding, both
from device.wire.messages import Text
from hardware import pins
from hardware.buzzer import TUNES, Buzzer
from hardware.guardian import Charge
from hardware.lamp import COLOURS, Lamp
from hardware.parts import PartError, Thermometer
from hardware.turnstile import Turnstile

UNIX: Final = Path("/proc/net/unix")  # every listening address of this machine
AMBIENT_C: Final = (-20.0, 60.0)  # where a gate can be; outside it the sensor is broken, or not an MLX90614
OBJECT_C: Final = (-40.0, 60.0)
SHOWN_S: Final = 0.6  # seconds a colour is shown
OUTPUTS: Final = ("relay", "lamp_red", "lamp_green", "lamp_blue", "buzzer")


class Rest(NamedTuple):
    """How an input reads while nobody is there, its pull, and what it means when it does not."""

    level: bool
    pull_up: bool | None
    wrong: Text
    fix: Text


CABLE: Final = Text("检查接线（hardware/wiring.md）", "see its wires (hardware/wiring.md)")
BEAM: Final = Rest(
    level=False,
    pull_up=None,
    wrong=Text("外侧光束被遮断", "the outer beam is broken"),
    fix=Text("移开遮挡，对准光束，检查供电与电缆", "clear the way, align it, see its supply and its cable"),
)
AT_REST: Final[dict[str, Rest]] = {
    "staff_button": Rest(
        level=True,
        pull_up=True,
        wrong=Text("值守按钮一直按下", "the staff button is pressed"),
        fix=Text("松开按钮；若未按下则已卡住或短路", "let go of it; otherwise it is stuck, or its cable is shorted"),
    ),
    "beam_outer": BEAM,
    "beam_inner": BEAM._replace(wrong=Text("内侧光束被遮断", "the inner beam is broken")),
    "turnstile_passed": Rest(
        level=True,
        pull_up=True,
        wrong=Text("闸机“已通过”触点一直闭合", "the turnstile's PASS contact is closed"),
        fix=CABLE,
    ),
    "door": Rest(
        level=False,
        pull_up=True,
        wrong=Text("门开着", "the door is open"),
        fix=Text(
            "关好门，检查门磁与电缆；未接则设 pins.door = 0",
            "shut it, see its contact and cable; not wired: pins.door = 0",
        ),
    ),
    "fire": Rest(
        level=False,
        pull_up=True,
        wrong=Text("消防触点断开：闸机将一直放行", "the fire contact is open: the turnstile would be held open"),
        fix=Text(
            "检查消防盘与电缆；未接则设 pins.fire = 0", "see the fire panel and the cable; not wired: pins.fire = 0"
        ),
    ),
    "tamper": Rest(
        level=False,
        pull_up=True,
        wrong=Text("机箱已打开", "the enclosure is open"),
        fix=Text("关好机箱；未接则设 pins.tamper = 0", "shut it; not wired: pins.tamper = 0"),
    ),
}


def charge(chosen: Config) -> Charge:
    """Return what the guardian of this gate's relay is given."""
    return Charge(
        driver=chosen.pins.driver,
        relay=chosen.pins.relay,
        pulse_ms=chosen.turnstile.pulse_ms,
        fire=chosen.pins.fire,
        levels=str(_levels(chosen)),
    )


def running(chosen: Config, listening: Path = UNIX) -> bool:
    """Tell whether a guardian holds the relay: then this gate runs, or waits out a fire."""
    address = charge(chosen).address.replace("\0", "@")
    try:
        return f"{address}\n" in listening.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _levels(chosen: Config) -> Path:
    return (Path(chosen.gate.data) / "pins").absolute()


def open_pins(chosen: Config) -> tuple[Finding, Any]:
    """Open the driver, and say which of the gate's pins somebody else has."""
    wired = [(name, number) for name, number in _numbers(chosen.pins) if number]
    try:
        factory = pins.factory(chosen.pins.driver, levels=_levels(chosen), closed=chosen.pins.closed)
    except PartError as error:
        fix = Text(
            "安装 python3-lgpio；把用户加入 gpio 组；设置 LG_WD 为可写目录（systemd：RuntimeDirectory）",
            "apt install python3-lgpio, put the user into group gpio, set LG_WD to a folder it may write",
        )
        return Finding("pins", "fail", both(error), fix), None
    holders = [(name, number, pins.holder(factory, number)) for name, number in wired]
    taken = [f"{name} (GPIO{number}): {holder}" for name, number, holder in holders if holder]
    if taken:
        fix = Text(
            "停用占用它的程序或 dtoverlay（gpioinfo 可查），或在 [pins] 中换针脚",
            "end the program or take out the dtoverlay that has it (gpioinfo names it), or use another pin in [pins]",
        )
        return Finding("pins", "fail", Text(f"已被占用：{'，'.join(taken)}", f"taken: {', '.join(taken)}"), fix), None
    named = ", ".join(f"{name} {number}" for name, number in wired)
    return Finding("pins", "ok", both(f"{chosen.pins.driver}: {named}")), factory


def _numbers(section: PinsSection) -> list[tuple[str, int]]:
    found = [(name, getattr(section, name)) for name in section.__struct_fields__]
    return [(name, number) for name, number in found if isinstance(number, int)]


def relay(factory: Any, chosen: Config) -> Finding:
    """Read the relay's pin without driving it: its resistor holds it low."""
    if pins.level(factory, chosen.pins.relay, pull_up=None):
        return Finding(
            "relay",
            "fail",
            Text("静止时为高电平", "its pin is high at rest"),
            Text(
                "须用高电平触发的继电器板，并在 IN 与地之间接 10 kΩ（hardware/wiring.md）",
                "use an active-high relay board, with 10 kΩ from IN to ground (hardware/wiring.md)",
            ),
        )
    return Finding("relay", "ok", Text("静止时为低电平", "low at rest"))


def inputs(factory: Any, chosen: Config) -> list[Finding]:
    """Read every wired input while nobody is there."""
    found = []
    for name, rest in AT_REST.items():
        number = getattr(chosen.pins, name)
        if not number:
            continue
        if pins.level(factory, number, pull_up=rest.pull_up) != rest.level:
            found.append(Finding(name, "fail", rest.wrong, rest.fix))
        else:
            found.append(Finding(name, "ok", Text("静止正常", "as it should be at rest")))
    return found


def pulse(factory: Any, chosen: Config) -> Finding:
    """Let one person through, on purpose."""
    turnstile = Turnstile(chosen.pins.relay, pulse_ms=chosen.turnstile.pulse_ms, factory=factory)
    try:
        turnstile.release()
        went_on = turnstile.on
        time.sleep(chosen.turnstile.pulse_ms / 1000 + 0.2)
        still_on = turnstile.on
    finally:
        turnstile.close()
    if not went_on or still_on:
        detail = Text("针脚没有按要求变化", "its pin did not do as it was told")
        return Finding("pulse", "fail", detail, CABLE)
    return Finding(
        "pulse",
        "ok",
        Text(
            f"放行一次，{chosen.turnstile.pulse_ms} ms；应听到一声吸合，闸机放行一人",
            f"pulsed once for {chosen.turnstile.pulse_ms} ms: the relay clicks, and the turnstile lets one through",
        ),
    )


def show(factory: Any, chosen: Config, prompt: Callable[[Text], None], pause_s: float = SHOWN_S) -> Finding:
    """Show each colour and sound each tune, and say which it is meant to be."""
    lamp = Lamp(chosen.pins.lamp_red, chosen.pins.lamp_green, chosen.pins.lamp_blue, factory=factory)
    buzzer = Buzzer(chosen.pins.buzzer, factory=factory)
    try:
        for colour in COLOURS:
            if colour != "off":
                prompt(Text(f"灯 {colour}", f"lamp {colour}"))
                lamp.show(colour)
                time.sleep(pause_s)
        lamp.show("off")
        for tune, beeps in TUNES.items():
            prompt(Text(f"蜂鸣 {tune}", f"tune {tune}"))
            buzzer.play(tune)
            time.sleep((beeps.times * (beeps.on_s + beeps.off_s) + SHOWN_S) * pause_s / SHOWN_S)
    finally:
        lamp.close()
        buzzer.close()
    return Finding(
        "show",
        "ok",
        Text(
            "已依次点亮与鸣响；颜色不对即接线有误", "all were shown; a colour that is another is a wire at another pin"
        ),
    )


def thermometer(make: Callable[[], Thermometer] | None) -> Finding:
    """Ask the thermometer, whose checksum must be right and whose answer plausible."""
    if make is None:
        return Finding("thermometer", "skipped", Text("未配置", "none is set"))
    try:
        opened = make()
        try:
            reading = opened.read()
        finally:
            opened.close()
    except PartError as error:
        fix = Text(
            "raspi-config 打开 I2C；把用户加入 i2c 组；检查四根线（3.3 V）；缩短电缆或降低 I2C 时钟",
            "switch I2C on (raspi-config), put the user into group i2c, see its four wires (3.3 V), shorten the cable",
        )
        return Finding("thermometer", "fail", both(error), fix)
    detail = Text(
        f"目标 {reading.object_c:.1f} °C，环境 {reading.ambient_c:.1f} °C",
        f"object {reading.object_c:.1f} °C, ambient {reading.ambient_c:.1f} °C",
    )
    if not (_within(reading.object_c, OBJECT_C) and _within(reading.ambient_c, AMBIENT_C)):
        fix = Text(
            "不合情理：远离热源与阳光，否则更换传感器", "not plausible: take it away from heat and sun, or replace it"
        )
        return Finding("thermometer", "fail", detail, fix)
    return Finding("thermometer", "ok", detail)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
