"""Reads a TOML file into a frozen struct: an unknown key is refused by name, with the nearest known one."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A configuration that cannot be used; the text names the file, the setting and the fix."""


def load(kind: type[S], path: Path) -> S:
    """Read the file at `path` as `kind`; raise SettingsError naming what to change."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); say where it is with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    return convert(kind, raw, source=str(path))


def convert(kind: type[S], raw: dict[str, Any], *, source: str) -> S:
    """Turn plain tables into `kind`; `source` is what an error calls them."""
    _refuse_unknown(inspect.type_info(kind), raw, source, "")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        setting = where.rstrip("`") or "the file"
        raise SettingsError(f"{source}: {setting}: {_meaning(problem, kind, setting)}") from error


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


def _meaning(problem: str, kind: type[msgspec.Struct], setting: str) -> str:
    """Add to msgspec's words the range and the meaning that stand beside the setting."""
    field = _field(kind, setting)
    if field is None:
        return problem
    parts = [problem]
    if allowed := _range(field.type):
        parts.append(f"allowed: {allowed}")
    if said := _description(field.type):
        parts.append(said)
    return "; ".join(parts)


def _field(kind: type[msgspec.Struct], setting: str) -> inspect.Field | None:
    info: inspect.Type = inspect.type_info(kind)
    field = None
    for name in setting.split("."):
        if isinstance(info, inspect.Metadata):
            info = info.type
        if not isinstance(info, inspect.StructType):
            return None
        field = next((each for each in info.fields if each.encode_name == name), None)
        if field is None:
            return None
        info = field.type
    return field


def _bare(info: inspect.Type) -> inspect.Type:
    return info.type if isinstance(info, inspect.Metadata) else info


def _description(info: inspect.Type) -> str:
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return str((schema or {}).get("description", ""))


def _range(info: inspect.Type) -> str:
    bare = _bare(info)
    if isinstance(bare, inspect.LiteralType):
        return ", ".join(str(value) for value in bare.values)
    if isinstance(bare, inspect.IntType | inspect.FloatType) and bare.ge is not None and bare.le is not None:
        return f"{bare.ge:g} to {bare.le:g}"
    return ""


def example(kind: type[msgspec.Struct]) -> str:
    """Write every setting of `kind` as commented TOML: meaning, range, default."""
    lines: list[str] = []
    for section in msgspec.structs.fields(kind):
        info = _bare(inspect.type_info(section.type))
        if not isinstance(info, inspect.StructType):
            continue
        summary = (info.cls.__doc__ or "").strip().splitlines()[0]
        lines += [f"# {summary}", f"[{section.encode_name}]"]
        for field in info.fields:
            allowed = _range(field.type)
            lines.append(f"# {_description(field.type)}" + (f" ({allowed})" if allowed else ""))
            value = field.default if field.default is not msgspec.NODEFAULT else None
            if value is None and field.default_factory is not msgspec.NODEFAULT:
                value = field.default_factory()
            mark = "" if field.required else "# "
            lines.append(f"{mark}{field.encode_name} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


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
    return '"' + str(value if value is not None else "").replace("\\", "\\\\").replace('"', '\\"') + '"'
