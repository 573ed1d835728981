"""Abuse is answered once, then slowed, then forgiven."""

from channels.manners import Manners, is_abuse, own_manners
from channels.rasa import Said, Understood

REFUSAL = {"kind": "refusal", "text": "请不要用伤人的话"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_second_time_begins_a_slow_time_that_ends():
    clock = Clock()
    rules = own_manners()
    manners = Manners(rules, clock=clock)
    assert not manners.note("a")
    assert [manners.take("a") for _ in range(20)] == [None] * 20
    assert manners.note("a")
    taken = [manners.take("a") for _ in range(rules.slowed_per_minute + 1)]
    assert taken[:-1] == [None] * rules.slowed_per_minute
    assert taken[-1] == 60 / rules.slowed_per_minute
    assert manners.take("b") is None
    clock.now += rules.slowed_minutes * 60
    assert [manners.take("a") for _ in range(20)] == [None] * 20


def test_after_a_while_abuse_is_answered_again():
    clock = Clock()
    manners = Manners(own_manners(), clock=clock)
    manners.note("a")
    clock.now += own_manners().within_minutes * 60 + 1
    assert not manners.note("a")
    assert manners.note("a")


def test_only_abuse_alone_counts():
    abuse, other = Understood("abuse", 0.9), Understood("out_of_scope", 0.9)
    assert is_abuse(Said([REFUSAL], abuse))
    assert not is_abuse(Said([REFUSAL], other))
    # In the middle of a petition the form goes on.
    assert not is_abuse(Said([REFUSAL, {"kind": "prompt", "text": "在哪里？"}], abuse))
