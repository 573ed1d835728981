"""Curated entries first, then the documents, then the number that may help."""

from typing import Any

import pytest

from jurisdiction import Phone
from knowledge import Context, Reply, refusal
from knowledge.serving import Answers

CURATED = Reply("answer", "拨打热线即可。")
PHONE = Phone(
    number="12333", name="劳动保障咨询", use="劳动保障", topics=("工资|社保",), source="x", as_of="2030-01-01"
)
SILENT = Phone(number="110", name="报警", use="危险", source="x", as_of="2030-01-01")


class Base:
    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def answer(self, text: str, context: Context | None = None) -> Reply:  # noqa: ARG002
        return self.reply


class Curated:
    def answer(self, text: str, *, is_counted: bool = True) -> Reply | None:  # noqa: ARG002
        return CURATED if text == "热线怎么打" else None


def answers(reply: Reply) -> Any:
    return Answers(Base(reply), Curated(), [SILENT, PHONE])


def test_a_curated_entry_goes_before_the_documents() -> None:
    assert answers(refusal()).answer("热线怎么打") is CURATED


@pytest.mark.parametrize(("text", "number"), [("社保怎么交", "12333"), ("工資沒發找誰", "12333"), ("路灯谁管", None)])
def test_a_refusal_names_the_number_for_its_topic(text: str, number: str | None) -> None:
    said = answers(refusal()).answer(text).text
    assert said.startswith(refusal().text)
    assert ("12333" in said) == (number is not None)


def test_while_free_answers_are_off_curated_entries_alone_answer() -> None:
    off: list[bool] = []
    served = Answers(Base(Reply("answer", "办了12场")), Curated(), [PHONE], is_off=lambda: bool(off))  # type: ignore[arg-type]
    assert served.answer("社保讲座办了几场").text == "办了12场"
    off.append(True)
    assert served.answer("热线怎么打") is CURATED
    reply = served.answer("社保讲座办了几场")
    assert (reply.kind, reply.is_paused, reply.buttons) == ("no_answer", True, refusal().buttons)
    assert "12" not in reply.text.replace("12345", "").replace("12333", "")
    assert "12333" in reply.text


def test_an_answer_is_left_as_it_is() -> None:
    found = Reply("answer", "办了12场")
    assert answers(found).answer("社保讲座办了几场") is found
