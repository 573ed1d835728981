"""How dialogues on WeChat are played and judged."""

import asyncio

import pytest

from bench.wechat.dialogues import HERE, Heard, meets, play, read

TICKET = "已经登记。工单号 GM2603020000013，查询码：ACDE-FGHJ（只显示这一次，请记好）。"


class Follower:
    """Somebody who hears the same answers as everybody, in order."""

    def __init__(self, answers, said):
        self.answers, self.said = answers, said

    async def say(self, text):
        self.said.append((id(self), text))
        return self.answers.pop(0)


def played(turns, *answers):
    said, queue = [], list(answers)
    counted = asyncio.run(play(turns, lambda: Follower(queue, said)))
    return [is_met for _, _, is_met in counted], said


def turn(say, *kinds, must=(), must_not=(), **more):
    return {"say": say, "expect": {"kinds": list(kinds), "must": list(must), "must_not": list(must_not)}, **more}


@pytest.mark.parametrize(
    ("heard", "is_met"),
    [
        (Heard("共13场", ("answer",)), True),
        (Heard("共913场", ("answer",)), False),
        (Heard("共13场", ("clarify",)), False),
        (Heard("共13场，查询码", ("answer",)), False),
        (Heard("", ()), False),
    ],
)
def test_kind_and_words_decide(heard, is_met):
    assert (
        meets(heard, {"kinds": ["answer"], "must": ["13场"], "must_not": ["查询码"]}, {"number": "", "code": ""})
        is is_met
    )


def test_number_and_code_are_said_again():
    met, said = played(
        [turn("确认提交", "ticket"), turn("查{number}，码{code}", "ticket_status", must=["{number}"])],
        Heard(TICKET, ("ticket",)),
        Heard("工单 GM2603020000013：已受理", ("ticket_status",)),
    )
    assert met == [True, True]
    assert said[1][1] == "查GM2603020000013，码ACDEFGHJ"


def test_a_number_that_nobody_got_is_not_found_in_anything():
    assert played([turn("查{number}", must=["{number}"])], Heard("什么都有", ("ticket_status",)))[0] == [False]


def test_a_turn_that_answers_what_is_asked_is_said_as_long_as_it_is():
    prompt, confirm = Heard("哪里？", ("prompt",)), Heard("请核对", ("confirm",))
    turns = [turn("路灯坏了", "prompt"), turn("碧眼，匿名", when=["prompt"], times=5), turn("确认提交", "ticket")]
    met, said = played(turns, prompt, prompt, confirm, Heard(TICKET, ("ticket",)))
    assert met == [True, True]
    assert [text for _, text in said] == ["路灯坏了", "碧眼，匿名", "碧眼，匿名", "确认提交"]


def test_a_stranger_speaks_from_another_account():
    _, said = played([turn("a", "x"), turn("b", "x", new_session=True), turn("c", "x")], *[Heard("", ("x",))] * 3)
    speakers = [speaker for speaker, _ in said]
    assert speakers[0] == speakers[2] != speakers[1]


def test_the_dialogues_can_be_played():
    dialogues = read(HERE)
    assert len(dialogues) == 14
    assert all({"say", "expect"} <= turn.keys() for dialogue in dialogues for turn in dialogue["turns"])
