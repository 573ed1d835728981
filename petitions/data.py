"""Reading the rules that are kept as YAML, so that a wrong one is refused with its file and field."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from jurisdiction import read_yaml

_Model = TypeVar("_Model", bound=BaseModel)


class DataError(ValueError):
    """A file of rules cannot be used; the message names the file and the field."""


def load(path: Path, model: type[_Model]) -> _Model:
    """The content of a YAML file, checked.

    Raises:
        DataError: the file is missing, is no YAML, or has a wrong field.
    """
    content = read_yaml(path, DataError)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path.name}: {f'{where}: ' if where else ''}{first['msg']}") from error
