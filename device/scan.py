"""`menshen scan`: the codes in photos, folders and videos, and what a gate would say of each."""

from __future__ import annotations

import base64
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID

from device.codes import Checked, verify
from device.codes.saying import saying
from device.codes.trust import Trust, TrustError, read_site_key
from device.config import DecoderSection, RulesSection
from device.decoder import Decoder, View
from device.looks import exhaust
from device.pieces import Pieces
from device.sight import Code
from device.verdict import Verdict, judge
from device.wire.messages import Desired, MessageError, Place, Text, decode
from device.wire.plain import harmless
from device.wire.words import OUTCOMES, SCHEMES, Language, language, reason, say
from hardware.camera.film import Camera, FilmOver
from hardware.camera.picture import SUFFIXES
from hardware.parts import CameraError, Frame

log = logging.getLogger(__name__)

NOTHING_FOUND: Final = 1  # exit codes; 2 is also what click says of a wrong command line
UNREADABLE: Final = 2
NAME_LIMIT: Final = 1000  # characters of a file's name
UNCONFIRMED: Final = Text("仅一次读取，未经复核", "one reading, unconfirmed")  # in a video a second frame confirmed it
BLANK: Final = Text("未发现码", "no code found")
NOBODY: Final = Text("未给出 --trust，因此不信任任何签发方", "without --trust, no issuer is believed")
NO_LIST: Final = Text(
    "未给出 --site-key，因此无法核对名单内的码", "without --site-key, listed codes are not recognised"
)
USUAL_FPS: Final = 25.0  # for a video that does not say its own


class Found(NamedTuple):
    """A code, where it was found; in a video also the number of the frame and its time in seconds."""

    file: str
    code: Code
    frame: int | None = None
    at_s: float | None = None


class Blank(NamedTuple):
    """A file without a code that can be read."""

    file: str


class Broken(NamedTuple):
    """A file that cannot be read at all."""

    file: str
    why: str


Result = Found | Blank | Broken
Advance = Callable[[int, int | None], None]  # frames done, and of how many where that is known


def search(path: Path, advance: Advance) -> Iterator[Result]:
    """Find every code in a picture, a folder of pictures or a video."""
    try:
        film = Camera(source=str(path))
    except CameraError as error:
        yield Broken(str(path), str(error))
        return
    try:
        still = path.is_dir() or path.suffix.lower() in SUFFIXES
        yield from (_pictures if still else _video)(path, film, advance)
    finally:
        film.close()


def _pictures(path: Path, film: Camera, advance: Advance) -> Iterator[Result]:
    for done in range(1, (film.frames or 0) + 1):
        try:
            codes = exhaust(film.read(0).grey)
        except CameraError as error:
            yield Broken(_named(path, film), str(error))
        else:
            file = _named(path, film)
            yield from (Found(file, code) for code in codes)
            if not codes:
                yield Blank(file)
        advance(done, film.frames)


def _named(path: Path, film: Camera) -> str:
    return str(path / film.name if path.is_dir() else path)


def _video(path: Path, film: Camera, advance: Advance) -> Iterator[Result]:
    settings, blank = DecoderSection(), True
    decoder, view = Decoder(settings.budget_ms), View(settings.gone_s)
    for frame in _frames(film, advance):
        for code in view.news(decoder.read(frame), frame.at):
            blank = False
            yield Found(str(path), code, frame.number, round(frame.at, 3))
    if blank:
        yield Blank(str(path))


def _frames(film: Camera, advance: Advance) -> Iterator[Frame]:
    """Play a video to its end, in its own time rather than in ours; damaged frames are logged and passed over."""
    fps = film.fps or USUAL_FPS
    number = 0
    while True:
        try:
            frame = film.read(0)
        except FilmOver as over:
            if film.frames and number < film.frames:
                log.warning("%s", over)
            return
        except CameraError as error:
            log.warning("%s", error)
            continue
        number = frame.number
        yield frame._replace(at=(number - 1) / fps)
        advance(number, film.frames)


def load_trust(policy: Path | None, site_key: Path | None) -> Trust:
    """Return what to believe; without a policy, nobody. Raise UsageError naming what is wrong."""
    try:
        desired = decode(Desired, policy.read_bytes()) if policy else Desired(version=0)
        return Trust.from_policy(desired, read_site_key(site_key) if site_key else b"")
    except OSError as error:
        raise click.UsageError(f"--trust {policy}: {error.strerror}") from error
    except MessageError as error:
        raise click.UsageError(f"--trust {policy}: {error}; a gate keeps one as policy.json") from error
    except TrustError as error:
        raise click.UsageError(str(error)) from error


def as_json(found: Found, checked: Checked, verdict: Verdict) -> str:
    """Return one line. `bytes` is there when they are not simply the text in UTF-8."""
    code = found.code
    row: dict[str, Any] = {
        "file": found.file,
        "frame": found.frame,
        "at_s": found.at_s,
        "symbology": code.symbology,
        "weak": code.weak,
        "text": code.text,
        "bytes": None if code.text.encode() == code.data else base64.b64encode(code.data).decode(),
        "scheme": checked.scheme,
        "says": saying(code.data),
        "trust_age_s": checked.age,
        "outcome": verdict.outcome,
        "reasons": verdict.reasons,
        "detail": checked.detail,
    }
    return json.dumps(row)  # in ASCII: what a code holds may be meant for the terminal that shows this


def as_text(found: Found, checked: Checked, verdict: Verdict, tongue: Language) -> str:
    """Return two lines: what it is and what a gate would do, then what the code says."""
    where = harmless(found.file, NAME_LIMIT) + (f" {found.at_s:.2f} s" if found.at_s is not None else "")
    reasons = ", ".join(filter(None, (*(reason(each, tongue) for each in verdict.reasons), checked.detail)))
    outcome = say(OUTCOMES[verdict.outcome], tongue) + (f" ({reasons})" if reasons else "")
    doubt = f" ({say(UNCONFIRMED, tongue)})" if found.code.weak and found.frame is None else ""
    scheme = checked.scheme + (f" ({say(SCHEMES[checked.scheme], tongue)})" if checked.scheme in SCHEMES else "")
    says = "; ".join(f"{name} {value}" for name, value in saying(found.code.data).items())
    return f"{where}: {found.code.symbology}{doubt}, {scheme}: {outcome}\n    {harmless(says or found.code.text)}"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "json_", is_flag=True, help="One JSON object a line and code. 每行一个 JSON")
@click.option("--trust", type=click.Path(path_type=Path), help="What to believe: a gate's policy.json. 信任策略文件")
@click.option("--site-key", type=click.Path(path_type=Path), help="The site's secret, for listed codes. 站点密钥文件")
@click.option("--place", metavar="SITE/ENTRANCE", help="Judge as this entrance would. 按此入口判断")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def scan(
    *, files: tuple[Path, ...], json_: bool, trust: Path | None, site_key: Path | None, place: str | None, lang: str
) -> None:
    """Read codes from photos, folders or videos and judge them. 读码并判断

    Exits with 0 when every file has a code, with 1 when one has none, with 2 when one cannot be read.
    """
    tongue = language(lang)
    believed = load_trust(trust, site_key)
    try:
        at = Place.parse(place) if place else None
    except MessageError as error:
        raise click.UsageError(f"--place: {error}") from error
    exit_code, found_any, pieces = 0, False, Pieces(math.inf)
    for result in _with_progress(files):
        match result:
            case Found(code=code):
                found_any = True
                whole = pieces.add(code, 0)
                shown = result._replace(code=whole) if isinstance(whole, Code) else result
                checked, verdict = _judged(shown.code, believed, at)
                line = as_json(shown, checked, verdict) if json_ else as_text(shown, checked, verdict, tongue)
                click.echo(line)
            case Blank(file=file):
                exit_code = max(exit_code, NOTHING_FOUND)
                click.echo(f"{harmless(file, NAME_LIMIT)}: {say(BLANK, tongue)}", err=json_)
            case Broken(why=why):
                exit_code = UNREADABLE
                click.echo(harmless(why, NAME_LIMIT), err=True)
    if found_any and not trust:
        click.echo(say(NOBODY, tongue), err=True)
    elif believed.listed and not site_key:
        click.echo(say(NO_LIST, tongue), err=True)
    sys.exit(exit_code)


def _judged(code: Code, trust: Trust, place: Place | None) -> tuple[Checked, Verdict]:
    rules = RulesSection()
    checked = verify(code, trust, place, int(time.time()), screen_s=rules.screen_s, skew_s=rules.skew_s)
    return checked, judge(checked, clock="synced", temperature="off", mode="off")


def _with_progress(files: tuple[Path, ...]) -> Iterator[Result]:
    """Search the files one after another, with a bar on a terminal's standard error."""
    console = Console(stderr=True)
    live = console.is_terminal
    with Progress(
        console=console, transient=True, disable=not live, redirect_stdout=live and sys.stdout.isatty()
    ) as bar:
        for path in files:
            task = bar.add_task(escape(harmless(path.name, 40)), total=None)
            yield from search(path, partial(_advance, bar, task))
            bar.remove_task(task)


def _advance(bar: Progress, task: TaskID, done: int, of: int | None) -> None:
    bar.update(task, completed=done, total=of)
