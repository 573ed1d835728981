"""The table of states and steps is refused, with its place, when it does not hold together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jurisdiction import load_jurisdiction
from petitions import lifecycle as lifecycle_module
from petitions.cases import _WHEN
from petitions.data import DataError
from petitions.errors import PetitionError
from petitions.filing import state_label
from petitions.lifecycle import WHEN, FieldRule, own_lifecycle, read_lifecycle
from petitions.network import network_of
from petitions.rules import own_rules

SOURCE = Path(lifecycle_module.__file__).with_name("lifecycle.yml")


def row(data: dict[str, Any], action: str) -> dict[str, Any]:
    return next(row for row in data["transitions"] if row["action"] == action)


def without(action: str) -> Callable[[dict[str, Any]], object]:
    def change(data: dict[str, Any]) -> None:
        data["transitions"] = [row for row in data["transitions"] if row["action"] != action]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(initial="nowhere"), "initial: unknown state nowhere"),
        (lambda data: data["states"].update(lost={"label": "x", "staff": "x"}), "states.lost: is never reached"),
        (lambda data: data["states"]["closed"].update(label=""), "states.closed.label"),
        (lambda data: row(data, "withdraw").update({"to": "limbo"}), "transitions.withdraw: unknown state limbo"),
        (lambda data: row(data, "withdraw").update({"from": "limbo"}), "transitions.withdraw: unknown state limbo"),
        (lambda data: row(data, "handle").update(needs=["wish"]), "transitions.handle: unknown field wish"),
        (lambda data: row(data, "handle").update(who=["mayor own"]), "transitions"),
        (lambda data: row(data, "handle").update(who=["handler near"]), "transitions"),
        (lambda data: row(data, "handle").update(when=["lucky"]), "unknown condition lucky"),
        (lambda data: row(data, "handle").update(must=["in_time"]), "unknown condition in_time"),
        (lambda data: row(data, "handle").update(source=""), "source"),
        (lambda data: row(data, "handle").update(color="red"), "color"),
        (lambda data: row(data, "handle").pop("to"), "to"),
        (lambda data: row(data, "extend").update(needs=["reason"], must=[]), "transitions.extend: extends a clock"),
        (
            lambda data: row(data, "transfer").update(needs=["reason"], must=[]),
            "transitions.transfer: offers the petition",
        ),
        (lambda data: data["fields"]["into"].update(not_in=["limbo"]), "fields.into: unknown state limbo"),
        (lambda data: row(data, "merge").update(needs=["reason"]), "merge: has a condition on into without needing it"),
        (lambda data: row(data, "follow_up")["needs"].remove("speed"), "follow_up: has a condition on speed without"),
        (lambda data: data["groups"].update(x=["limbo"]), "groups.x: unknown state limbo"),
        (
            lambda data: (data["groups"]["open"].remove("hearing"), without("close_hearing")(data)),
            "states.hearing: is no ending and has no exit",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(tmp_path, change: Callable[[dict[str, Any]], object], message) -> None:
    data = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "lifecycle.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_lifecycle(path)
    assert str(refused.value).startswith("lifecycle.yml: ")
    assert message in str(refused.value)


def test_states_from_which_nothing_ends_are_refused(tmp_path) -> None:
    data = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    without("decide_re_review")(data)
    without("withdraw")(data)
    path = tmp_path / "lifecycle.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with pytest.raises(DataError, match=r"concluded: is never reached|no ending can be reached"):
        read_lifecycle(path)


def test_every_step_and_state_has_words_and_a_source() -> None:
    lifecycle = own_lifecycle()
    for name, state in lifecycle.states.items():
        assert state_label(name) == state.label
        # The ticket and its events keep this many characters.
        assert len(name) <= 20
    assert all(row.label and row.source for row in lifecycle.transitions)
    assert {row.action for row in lifecycle.transitions} | set(lifecycle.notes) | {"file"} == set(lifecycle.labels)


def test_every_condition_of_the_table_has_a_meaning() -> None:
    assert set(_WHEN) == WHEN


def test_every_clock_of_the_table_is_there_and_used() -> None:
    rules = own_rules()
    assert rules.lifecycle.clock_names == set(rules.clocks)
    without_close = {name: clock for name, clock in rules.clocks.items() if name != "close"}
    with pytest.raises(DataError, match=r"no such clock in clocks\.yml: close"):
        replace(rules, clocks=without_close)
    fixed = {**rules.clocks, "close": rules.clocks["close"].model_copy(update={"extension": 0})}
    with pytest.raises(DataError, match="clock close is extended"):
        replace(rules, clocks=fixed)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (FieldRule(type="text"), ["x", "长" * 20_000], ["", " ", 1, None, "长" * 20_001]),
        (FieldRule(type="word"), ["x", "长" * 60], ["", "长" * 61, True]),
        (FieldRule(type="integer", least=1, most=5), [1, 5], [0, 6, "3", True, 2.5]),
        (FieldRule(type="boolean"), [True, False], [1, 0, "true", None]),
    ],
)
def test_a_field_takes_what_is_of_its_type(rule: FieldRule, good: list[object], bad: list[object]) -> None:
    assert [rule.read(value) for value in good] == good
    assert [rule.read(value) for value in bad] == [None] * len(bad)


def test_the_network_knows_who_stands_above_whom() -> None:
    network = network_of(load_jurisdiction())
    station, hall, other, district = (
        "碧眼社区群众诉求服务大厅",
        "光明街道群众诉求服务大厅",
        "公明街道群众诉求服务大厅",
        "光明区群众诉求服务大厅",
    )
    assert network.above(station) == (hall, district)
    assert network.above(other) == (district,)
    assert network.is_above(hall, station)
    assert not network.is_above(other, station)
    assert not network.is_above(station, station)
    assert network.is_above(district, district)
    assert network.superior(station) == hall
    assert network.superior(district) == district
    assert network.above("没有") == ()
    assert network.find("没有") is None


def test_every_refusal_of_a_step_names_what_is_allowed() -> None:
    refusal = PetitionError("not_allowed", state="已办结", action="受理", allowed="申请复查", actions="ask_review")
    assert refusal.message == "工单现在的状态是“已办结”，不能“受理”。现在可以：申请复查。"
    assert refusal.status == 409
