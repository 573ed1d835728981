"""Photos of the demonstration: drawn, different each time, and marked 演示 so that nobody takes one for real."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter
from pydantic import BaseModel, ConfigDict

from petitions.data import load

_RULES = Path(__file__).with_name("demo_photos.yml")
_FIELD = (100, 75)
_CHARACTER = 10
# How far a point may lie from where it is drawn, in parts of the field.
_JITTER = 1.2
_NOISE = 26

Point = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Shape(_Strict):
    shape: Literal["rectangle", "ellipse", "polygon", "line"]
    colour: str
    points: tuple[Point, ...]
    width: float = 0


class _Mark(_Strict):
    colour: str
    width: int
    box: tuple[float, float, float, float]


class _Pictures(_Strict):
    size: tuple[int, int]
    mark: _Mark
    characters: tuple[tuple[tuple[Point, ...], ...], ...]
    scenes: Mapping[str, tuple[_Shape, ...]]


@cache
def _pictures() -> _Pictures:
    return load(_RULES, _Pictures)


def scenes() -> frozenset[str]:
    """What can be drawn."""
    return frozenset(_pictures().scenes)


def draw(scene: str, seed: int) -> bytes:
    """A JPEG of this scene; the same seed gives the same one.

    Raises:
        KeyError: there is no such scene.
    """
    rules, chance = _pictures(), Random(f"{scene} {seed}")
    image = Image.new("RGB", rules.size)
    pen = ImageDraw.Draw(image)
    scale = rules.size[0] / _FIELD[0]
    for shape in rules.scenes[scene]:
        points = [
            tuple(_moved(value, chance) * scale if 0 < value < _FIELD[axis] else value * scale for axis, value in pair)
            for pair in (enumerate(point) for point in shape.points)
        ]
        if shape.shape == "line":
            pen.line(points, fill=shape.colour, width=round(shape.width * scale), joint="curve")
        else:
            getattr(pen, shape.shape)(points, fill=shape.colour)
    noise = Image.frombytes("L", rules.size, chance.randbytes(rules.size[0] * rules.size[1]))
    grain = Image.merge("RGB", [noise.filter(ImageFilter.GaussianBlur(1))] * 3)
    image = Image.blend(image.filter(ImageFilter.GaussianBlur(1.5)), grain, _NOISE / 255)
    _stamp(ImageDraw.Draw(image), rules, scale)
    content = BytesIO()
    image.save(content, "JPEG", quality=80)
    return content.getvalue()


def _moved(value: float, chance: Random) -> float:
    return value + chance.uniform(-_JITTER, _JITTER)


def _stamp(pen: ImageDraw.ImageDraw, rules: _Pictures, scale: float) -> None:
    left, top, right, bottom = (value * scale for value in rules.mark.box)
    frame = (left, top, right, bottom)
    pen.rectangle(frame, fill="white", outline=rules.mark.colour, width=rules.mark.width)
    side = (right - left) / len(rules.characters)
    inner = side * 0.8 / _CHARACTER
    for place, character in enumerate(rules.characters):
        x, y = left + side * (place + 0.1), top + (bottom - top - inner * _CHARACTER) / 2
        for stroke in character:
            points = [(x + across * inner, y + down * inner) for across, down in stroke]
            pen.line(points, fill=rules.mark.colour, width=rules.mark.width, joint="curve")
