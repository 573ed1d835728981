"""From a folder of YAML files to a checked `Jurisdiction`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from jurisdiction.model import Jurisdiction

# Which fields of Jurisdiction each file gives.
_FILES = {
    "places.yml": ("name", "district", "city", "subdistricts", "places", "ambiguous", "outside", "place_rules"),
    "halls.yml": ("halls",),
    "offices.yml": ("offices",),
    "phones.yml": ("phones",),
    "danger.yml": ("danger",),
    "matters.yml": ("matters",),
    "routing.yml": ("routing",),
}
_FILE_OF = {field: name for name, fields in _FILES.items() for field in fields}
_DATED = ("source", "as_of")


class JurisdictionError(ValueError):
    """The local data cannot be used; the message names file and field."""


def load_jurisdiction(folder: Path | None = None) -> Jurisdiction:
    """The jurisdiction described by the YAML files in `folder`.

    A `source` and `as_of` at the top of a file count for each of its records that has none of its own.

    Args:
        folder: Holds the files named in `_FILES`; by default the ones beside this package.

    Raises:
        JurisdictionError: a file is missing, is no YAML, or holds a wrong field.
    """
    folder = folder or Path(__file__).parent
    data: dict[str, Any] = {}
    for name, fields in _FILES.items():
        content = _read(folder / name)
        if unknown := set(content) - set(fields) - set(_DATED):
            raise JurisdictionError(f"{name}: unknown field {', '.join(sorted(unknown))}")
        dated = {key: content[key] for key in _DATED if key in content}
        data |= {field: _with_dates(content[field], dated) for field in fields if field in content}
    try:
        return Jurisdiction.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        file = f"{_FILE_OF[where[0]]}: {'.'.join(where)}: " if where else ""
        raise JurisdictionError(f"{file}{first['msg']}") from error


def read_yaml(path: Path, refusal: type[Exception]) -> Any:  # noqa: ANN401 - YAML of any shape
    """The content of a YAML file.

    Raises:
        Exception: of the type `refusal`: it cannot be read or is no YAML; names the file.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise refusal(f"{path.name}: cannot be read") from error
    except yaml.YAMLError as error:
        raise refusal(f"{path.name}: is not YAML: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path, JurisdictionError)
    if not isinstance(content, dict):
        raise JurisdictionError(f"{path.name}: is not a mapping")
    return content


def _with_dates(value: Any, dated: dict[str, Any]) -> Any:  # noqa: ANN401 - YAML of any shape
    """`value` in which every record (a mapping in a list or by id, one level down) carries a source and a date."""
    match value:
        case list():
            return [dated | item if isinstance(item, dict) else item for item in value]
        case {"kinds": kinds, **rest}:
            return {**rest, "kinds": _with_dates(kinds, dated)}
        case dict() if value and all(isinstance(item, dict) and "number" in item for item in value.values()):
            return {key: dated | item for key, item in value.items()}
        case {"classes": _, **_rest}:
            return dated | value
        case _:
            return value
