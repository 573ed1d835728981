"""The rules of `rules.yml` and the menu of `menu.yml`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Allowance(_Strict):
    """How many messages may be sent, and for how long."""

    messages: int
    minutes: int


class Rules(_Strict):
    """The rules of rules.yml."""

    as_of: date
    source: str
    closes_seconds: float
    deliveries: int
    answer_seconds: float
    last_moment_seconds: float
    hold_seconds: float
    text_bytes: int
    written: Allowance
    touched: Allowance
    reserve: int
    lease_seconds: float
    media_hours: float
    retry_minutes: tuple[int, ...] = Field(min_length=1)
    kept_hours: int
    kept_answers_days: int


class Entry(_Strict):
    """An entry of the menu: says something, opens a page, or holds others."""

    name: str
    key: str | None = Field(default=None, max_length=32)
    say: str | None = None
    path: str | None = None
    entries: tuple[Entry, ...] = Field(default=(), max_length=5)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Entry:
        if [bool(self.key and self.say), bool(self.path), bool(self.entries)].count(True) != 1:
            raise ValueError(f"menu entry {self.name}: needs key and say, or path, or entries")
        return self


@cache
def own_rules() -> Rules:
    """The rules beside the code."""
    return Rules.model_validate(_read("rules.yml"))


@cache
def own_menu() -> tuple[Entry, ...]:
    """The menu beside the code.

    Raises:
        ValueError: WeChat would refuse it.
    """
    menu = TypeAdapter(tuple[Entry, ...]).validate_python(_read("menu.yml"))
    names = [(entry.name, 16) for entry in menu] + [(inner.name, 60) for entry in menu for inner in entry.entries]
    if len(menu) > 3 or any(len(name.encode()) > most for name, most in names):
        raise ValueError("menu.yml has too many entries or too long names")
    return menu


def menu_words(menu: tuple[Entry, ...]) -> Mapping[str, str]:
    """What each key of the menu says."""
    words = {entry.key: entry.say for entry in menu if entry.key and entry.say}
    return words | {key: said for entry in menu for key, said in menu_words(entry.entries).items()}


def menu_json(menu: tuple[Entry, ...], public_url: str) -> dict[str, Any]:
    """The menu as WeChat takes it; pages are left out while residents have no address of ours.

    Source: developers.weixin.qq.com, 自定义菜单, 创建接口.
    """
    return {"button": [made for entry in menu if (made := _button(entry, public_url))]}


def _button(entry: Entry, public_url: str) -> dict[str, Any] | None:
    if entry.entries:
        inner = [made for below in entry.entries if (made := _button(below, public_url))]
        return {"name": entry.name, "sub_button": inner} if inner else None
    if entry.path:
        return {"type": "view", "name": entry.name, "url": public_url + entry.path} if public_url else None
    return {"type": "click", "name": entry.name, "key": entry.key}


def _read(name: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
