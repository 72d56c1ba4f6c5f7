"""A look through the camera, from a process of its own that can be killed: a stalled driver may never return."""

from __future__ import annotations

import os
import signal
import statistics
import time
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from device.config import CameraSection
from device.eye import START_S, spawn
from device.kin import belong_to
from device.looks import FIRST, OTHERS
from device.retina import BLACK_BELOW, camera
from device.wire.checkup import Finding, both
from device.wire.messages import Text
from hardware.parts import CameraError, Frame, Grey

SETTLE_S: Final = 1.0  # seconds a camera takes to find its exposure
BLOWN_ABOVE: Final = 235  # grey levels, the mean of a picture in which nothing can be read
SLOW: Final = 0.5  # of the frames that were asked for
NAMED: Final = 3  # looks, those that read most
LEAD_S: Final = 1.0  # seconds on top, after which it is taken to have stalled


def first_frame(chosen: CameraSection, start_s: float = START_S) -> Finding:
    """Open the camera and say what the picture is like."""
    fix = Text(
        "安装 python3-picamera2；检查排线或 USB；rpicam-hello --list-cameras 可列出摄像头；"
        "确认没有其他程序占用；用户须在 video 组",
        "apt install python3-picamera2; see the ribbon or the plug; rpicam-hello --list-cameras names what is there; "
        "nothing else may use it; the user has to be in group video",
    )
    said = _ask(chosen, 0, start_s + SETTLE_S)
    if isinstance(said, str):
        return Finding("camera", "fail", both(said), fix)
    size, fps, mean, focus = said["size"], said["fps"], said["mean"], said["focus"]
    detail = Text(
        f"{size}，每秒 {fps:.0f} 帧，亮度 {mean:.0f}，清晰度 {focus:.0f}（对准印刷品，转动镜头至最大）",
        f"{size}, {fps:.0f} frames a second, brightness {mean:.0f}, focus {focus:.0f} (before print, turn the lens "
        "until it is largest)",
    )
    if mean < BLACK_BELOW:
        return Finding("camera", "fail", detail, Text("取下镜头盖，打开照明", "uncover the lens, light the entrance"))
    if mean > BLOWN_ABOVE:
        fix = Text("避免强光直射镜头", "keep the sun and lamps out of its view")
        return Finding("camera", "warn", detail, fix)
    if fps < SLOW * chosen.fps:
        fix = Text(
            "降低 camera.width、height 或 fps，或增加照明", "lower camera.width, height or fps, or give it more light"
        )
        return Finding("camera", "warn", detail, fix)
    return Finding("camera", "ok", detail)


def code(chosen: CameraSection, seconds: float) -> Finding:
    """Take every look at each picture for some seconds, while somebody holds up a code at arm's length."""
    fix = Text(
        "屏幕调亮，距离 20 到 40 cm，持稳；仍读不到则转动镜头对焦",
        "make the screen bright, hold it still 20 to 40 cm away; still nothing: turn the lens to focus",
    )
    said = _ask(chosen, seconds, START_S + seconds)
    if isinstance(said, str):
        return Finding("code", "fail", both(said), fix)
    looks: dict[str, tuple[int, float]] = said["looks"]
    if not looks:
        detail = Text(f"{said['frames']} 帧中未读到码", f"none in {said['frames']} pictures")
        return Finding("code", "fail", detail, fix)
    best = sorted(looks.items(), key=lambda item: (-item[1][0], item[1][1]))[:NAMED]
    named = ", ".join(f"{name} {reads}× {ms:.1f} ms" for name, (reads, ms) in best)
    detail = Text(
        f"{said['symbology']}，{said['frames']} 帧，{len(looks)}/{1 + len(OTHERS)} 种方法读到：{named}",
        f"{said['symbology']} in {said['frames']} pictures, by {len(looks)} of {1 + len(OTHERS)} looks: {named}",
    )
    if FIRST.name not in looks and said["symbology"] == "QRCode":
        return Finding("code", "warn", detail, fix)
    return Finding("code", "ok", detail)


def _ask(chosen: CameraSection, code_s: float, within_s: float) -> dict[str, Any] | str:
    """Have it looked at in another process; return what it says, or what is wrong."""
    ours, theirs = spawn.Pipe(duplex=False)
    settings = {name: getattr(chosen, name) for name in ("driver", "source", "width", "height", "fps")}
    process = spawn.Process(
        target=look,
        name="menshen-doctor",
        daemon=True,
        args=(theirs,),
        kwargs={"parent": os.getpid(), "settings": settings, "stall_s": chosen.stall_s, "code_s": code_s},
    )
    process.start()
    theirs.close()
    patience = within_s + chosen.stall_s + LEAD_S
    try:
        if not ours.poll(patience):
            return f"the camera has stalled: nothing for {patience:g} s; switch it off and on"
        said: dict[str, Any] | str = ours.recv()
    except EOFError:
        process.join(LEAD_S)
        return f"the camera's driver ended its process, exit code {process.exitcode}"
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
    return said


def look(pipe: Connection, *, parent: int, settings: dict[str, Any], stall_s: float, code_s: float) -> None:
    """Be that process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    belong_to(parent, "menshen-eye")
    said: dict[str, Any] | str
    try:
        eye = camera(settings.pop("driver"), **settings)
        said = _codes(eye, stall_s, code_s) if code_s else _glance(eye, stall_s)
    except CameraError as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001 whatever a driver raises is what is wrong with it
        said = f"{type(error).__name__}: {error}"
    pipe.send(said)  # and no more: a driver may never return from being closed, and the end of the process frees it


def _glance(eye: Any, stall_s: float) -> dict[str, Any]:
    first: Frame = eye.read(stall_s)
    last, count = first, 0
    while last.at - first.at < SETTLE_S:
        last, count = eye.read(stall_s), count + 1
    rows, columns = last.grey.shape
    return {
        "size": f"{columns}x{rows}",
        "fps": count / (last.at - first.at),
        "mean": float(last.grey.mean()),
        "focus": focus(last.grey),
    }


def focus(grey: Grey) -> float:
    """Measure how sharp the middle of a picture is: the variance of its second differences, at half its size."""
    rows, columns = grey.shape
    middle = grey[rows // 4 : 3 * rows // 4, columns // 4 : 3 * columns // 4].astype(np.float32)
    middle = middle[: middle.shape[0] // 2 * 2, : middle.shape[1] // 2 * 2]
    half = (middle[::2, ::2] + middle[1::2, ::2] + middle[::2, 1::2] + middle[1::2, 1::2]) / 4
    inner = half[1:-1, 1:-1]
    second = 4 * inner - half[:-2, 1:-1] - half[2:, 1:-1] - half[1:-1, :-2] - half[1:-1, 2:]
    return float(second.var())


def _codes(eye: Any, stall_s: float, code_s: float) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    symbology, frames, until = "", 0, time.monotonic() + code_s
    while time.monotonic() < until:
        grey, frames = eye.read(stall_s).grey, frames + 1
        for each in (FIRST, *OTHERS):
            begun = time.perf_counter()
            found = each.read(grey)
            if found:
                symbology = found[0].symbology
                times.setdefault(each.name, []).append(1000 * (time.perf_counter() - begun))
    return {
        "frames": frames,
        "symbology": symbology,
        "looks": {name: (len(took), statistics.median(took)) for name, took in times.items()},
    }
