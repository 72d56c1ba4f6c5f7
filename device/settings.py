"""Reads a TOML file into a frozen struct: an unknown key is refused by name, with the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from device.wire.nesting import too_deep

S = TypeVar("S", bound=msgspec.Struct)

MISSING: Final = re.compile(r"Object missing required field `(.+)`")
TOML_WORDS: Final = {"`object`": "`table`", "`str`": "`string`", "`int`": "`integer`", "`bool`": "`boolean`"}


class SettingsError(ValueError):
    """A configuration that cannot be used; the text names the file, the setting and the fix."""


def load(kind: type[S], path: Path) -> S:
    """Read the file at `path` as `kind`; raise SettingsError naming what to change."""
    try:
        text = path.read_text(encoding="utf-8")
        if too_deep(text.encode()):
            raise SettingsError(f"{path}: not a TOML file: nested too deep for any setting")
        raw = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); say where it is with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    return convert(kind, raw, source=str(path))


def convert(kind: type[S], raw: dict[str, Any], *, source: str) -> S:
    """Turn plain tables into `kind`; `source` is what an error calls them."""
    _refuse_unknown(inspect.type_info(kind), raw, source, "")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        path = where.strip(".`")
        if missing := MISSING.fullmatch(problem):
            path, problem = f"{path}.{missing[1]}".lstrip("."), "must be set"
        raise SettingsError(f"{source}: {path or 'the file'}: {_meaning(problem, kind, path)}") from error


def _refuse_unknown(info: inspect.Type, raw: object, source: str, prefix: str) -> None:
    if isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.VarTupleType) and isinstance(raw, list):
        for number, item in enumerate(raw):
            _refuse_unknown(info.item_type, item, source, f"{prefix.rstrip('.')}[{number}].")
    if not (isinstance(info, inspect.StructType) and isinstance(raw, dict)):
        return
    fields = {field.encode_name: field for field in info.fields}
    for key, value in raw.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known here: {', '.join(sorted(fields))}"
            raise SettingsError(f"{source}: unknown setting {prefix}{key}; {hint}")
        _refuse_unknown(fields[key].type, value, source, f"{prefix}{key}.")


def _meaning(problem: str, kind: type[msgspec.Struct], path: str) -> str:
    """Add to msgspec's words the range, the meaning and the sample that stand beside the setting or what holds it."""
    for python, toml in TOML_WORDS.items():
        problem = problem.replace(python, toml)
    info = _nearest(inspect.type_info(kind), path)
    allowed, said, sample = _range(info), _description(info), _sample(info)
    parts = [problem, f"allowed: {allowed}" if allowed else "", said, f"such as {_toml(sample)}" if sample else ""]
    return "; ".join(part for part in parts if part)


def _nearest(info: inspect.Type, path: str) -> inspect.Type:
    """Follow a path such as duty.hours[0].from down to the last type on it that says what it means."""
    said = info
    for name in re.findall(r"[^.\[\]]+", path):
        bare = _bare(info)
        if isinstance(bare, inspect.VarTupleType):
            info = bare.item_type
        elif isinstance(bare, inspect.StructType):
            info = next((field.type for field in bare.fields if field.encode_name == name), info)
        said = info if _description(info) else said
    return said


def _bare(info: inspect.Type) -> inspect.Type:
    return info.type if isinstance(info, inspect.Metadata) else info


def _description(info: inspect.Type) -> str:
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return str((schema or {}).get("description", ""))


def _sample(info: inspect.Type) -> object:
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return next(iter((schema or {}).get("examples", ())), None)


def _range(info: inspect.Type) -> str:
    bare = _bare(info)
    if isinstance(bare, inspect.LiteralType):
        return ", ".join(str(value) for value in bare.values)
    if isinstance(bare, inspect.IntType | inspect.FloatType) and bare.ge is not None and bare.le is not None:
        return f"{bare.ge:g} to {bare.le:g}"
    return ""


def example(kind: type[msgspec.Struct]) -> str:
    """Write every setting of `kind` as TOML: meaning, range, default behind a #, and a sample where one must be set."""
    lines = [f"# {_title(kind)} Behind a # stand the defaults: take it away to change one."]
    for section in msgspec.structs.fields(kind):
        lines += _section(section.encode_name, inspect.type_info(section.type))
    return "\n".join(lines) + "\n"


def _section(name: str, said: inspect.Type) -> list[str]:
    """Write one table, then those that stand in it."""
    info = _bare(said)
    if not isinstance(info, inspect.StructType):
        return []
    within = {field.encode_name: isinstance(_bare(field.type), inspect.StructType) for field in info.fields}
    lines = ["", f"# {_title(info.cls)}", f"[{name}]"]
    lines += [line for field in info.fields if not within[field.encode_name] for line in _setting(field)]
    tables = (_section(f"{name}.{field.encode_name}", field.type) for field in info.fields)
    return lines + [line for table in tables for line in table]


def _title(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _setting(field: inspect.Field) -> list[str]:
    """Write one setting: what it means, then what it is, or a sample where it is nothing yet."""
    allowed, sample = _range(field.type), _sample(field.type)
    meaning = f"# {_description(field.type)}" + (f" ({allowed})" if allowed else "")
    if field.required:
        return [f"{meaning}; must be set", f"{field.encode_name} = {_toml(sample)}"]
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if sample and not default:
        return [f"{meaning}; {_toml(default)} unless set, such as", f"# {field.encode_name} = {_toml(sample)}"]
    return [meaning, f"# {field.encode_name} = {_toml(default)}"]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, msgspec.Struct):
        pairs = (f"{f.encode_name} = {_toml(getattr(value, f.name))}" for f in msgspec.structs.fields(value))
        return "{ " + ", ".join(pairs) + " }"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
