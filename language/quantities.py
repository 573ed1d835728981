"""Numbers with their units in Chinese text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import cn2an
import yaml

_UNITS = Path(__file__).with_name("units.yml")
_MAGNITUDES = {"": 1, "十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_CHINESE_DIGITS = "零〇一二两三四五六七八九"
_CHINESE_NUMERAL = f"[{_CHINESE_DIGITS}十百千万亿]+"
_SPOKEN_NUMERAL = f"[{_CHINESE_DIGITS}十百千万亿]+(?:点[{_CHINESE_DIGITS}]+[万亿]?)?"
_PER_CENT = re.compile(f"百分之({_SPOKEN_NUMERAL})")
_YEAR_IN_CHARACTERS = re.compile(r"([二两][零〇][零〇一二三四五六七八九]{2})(?=年)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, as it stands in a text.

    Attributes:
        text: The whole, verbatim: "300万余人次".
        value: The number as written, without magnitude: "300".
        unit: Magnitude, roundness and unit as written: "万余人次".
        measure: The bare unit: "人次".
        kind: The group of units that it belongs to in `units.yml`, such as "people", "money", "rate".
        amount: The number times its magnitude.
        start: Offset of the first character in the text.
        end: Offset behind the last character.
    """

    text: str
    value: str
    unit: str
    measure: str
    kind: str
    amount: Decimal
    start: int
    end: int


def find_quantities(text: str) -> list[Quantity]:
    """All numbers in Arabic digits that carry a known unit, and ordinals such as 第五批 or 前二十名, in order."""
    ordinals = [ordinal for match in _ordinal().finditer(text) if (ordinal := _of_ordinal(match))]
    # 第12位 is a rank and not also twelve people.
    taken = {place for ordinal in ordinals for place in range(ordinal.start, ordinal.end)}
    found = [_of_match(match) for match in _pattern().finditer(text) if match.start() not in taken]
    return sorted([*ordinals, *found], key=lambda quantity: quantity.start)


def arabic_years(text: str) -> str:
    """`text` with years such as 二零二二年 in digits."""
    return _YEAR_IN_CHARACTERS.sub(lambda match: "".join(str(_digit(sign)) for sign in match[1]), text)


def arabic_numbers(text: str) -> str:
    """`text` with numbers before a unit, such as 九点八七万平方米 or 五百六十户, and 百分之八 in digits.

    A lone digit (三个) stays: it is as often part of a name (三宜, 四风) as a count.
    """
    text = _PER_CENT.sub(lambda match: f"{number}%" if (number := _arabic(match[1])) else match[0], text)
    return _spoken().sub(_counted, text)


@cache
def unit_kinds() -> dict[str, str]:
    """Bare unit → group."""
    data = yaml.safe_load(_UNITS.read_text(encoding="utf-8"))
    return {unit: kind for kind, units in data["units"].items() for unit in units}


def _digit(sign: str) -> int:
    return {"〇": 0, "两": 2}.get(sign, _CHINESE_DIGITS.replace("〇", "").replace("两", "").find(sign))


def _arabic(numeral: str) -> str:
    """A spoken number in digits; empty for what is none, such as 三四十."""
    plain = numeral.rstrip("万亿")
    try:
        return f"{cn2an.cn2an(plain, 'smart')}{numeral[len(plain) :]}"
    except (ValueError, KeyError):
        return ""


def _counted(match: re.Match[str]) -> str:
    numeral = match[0]
    is_telling = len(numeral) > 2 or set(numeral) & set("十百千")
    return (is_telling and _arabic(numeral)) or numeral


@cache
def _spoken() -> re.Pattern[str]:
    units = "|".join(map(re.escape, sorted(unit_kinds(), key=len, reverse=True)))
    return re.compile(f"(?<![第前{_CHINESE_DIGITS}十百千万亿点]){_SPOKEN_NUMERAL}(?=[余多]?(?:{units}))")


@cache
def _pattern() -> re.Pattern[str]:
    units = "|".join(map(re.escape, sorted(unit_kinds(), key=len, reverse=True)))
    return re.compile(
        rf"(?<![\d.A-Za-z])(?P<value>\d+(?:\.\d+)?)(?P<magnitude>[十百千万亿]?)(?P<about>[余多]?)(?P<measure>{units})(?P<more>以上|以下|以内)?"
    )


@cache
def _ordinal() -> re.Pattern[str]:
    number = rf"(?:{_CHINESE_NUMERAL}|\d+)"
    return re.compile(
        rf"(?P<scope>全[国省市区])?[第前](?P<value>{number})(?P<measure>[批次名届位])|(?P<rank>全[国省市区]第)(?P<place>{number})"
    )


def _of_ordinal(match: re.Match[str]) -> Quantity | None:
    value, measure = match["value"] or match["place"], match["measure"] or ""
    try:
        amount = Decimal(str(cn2an.cn2an(value, "smart")))
    except (ValueError, KeyError):  # 前百名: no number that cn2an knows
        return None
    return Quantity(match[0], value, measure, measure, "rank", amount, match.start(), match.end())


def _of_match(match: re.Match[str]) -> Quantity:
    parts: dict[str, Any] = match.groupdict(default="")
    return Quantity(
        text=match[0],
        value=parts["value"],
        unit=parts["magnitude"] + parts["about"] + parts["measure"] + parts["more"],
        measure=parts["measure"],
        kind=unit_kinds()[parts["measure"]],
        amount=Decimal(parts["value"]) * _MAGNITUDES[parts["magnitude"]],
        start=match.start(),
        end=match.end(),
    )
