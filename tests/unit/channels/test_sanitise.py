"""No typed text is a command, whatever stands before the slash."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sanitise import neutralise, strip_hidden

# What Rasa 3.6.21 does with a message: strip it, then look for the slash.
RASA_COMMAND = re.compile(r"^/[^{@]+")

BEFORE = [
    "",
    " ",
    "\t\n",
    "\u3000",
    "\u00a0",
    "\u2003",
    "\u2028",
    "\x1c",
    "\x85",
    "\u200b",
    "\ufeff",
    "\u200b \u3000",
    "\u202e",
    "\x00",
    "\u2060",
    "\u3164",
    "\ud800",
]


@pytest.mark.parametrize("before", BEFORE)
def test_a_slash_becomes_its_full_width_form(before):
    assert neutralise(f'{before}/confirm{{"ticket": "1"}}') == '／confirm{"ticket": "1"}'


def test_a_slash_inside_stays():
    assert neutralise("1/2 栋") == "1/2 栋"


def test_only_the_first_of_many_slashes_changes():
    assert neutralise("//restart") == "／/restart"


@given(st.text())
def test_nothing_typed_is_a_command(text):
    assert not RASA_COMMAND.match(neutralise(text).strip())


@given(st.text())
def test_stripping_twice_changes_nothing_more(text):
    assert strip_hidden(strip_hidden(text)) == strip_hidden(text)


@given(st.text())
def test_what_is_left_can_be_stored_and_sent(text):
    stripped = strip_hidden(text)
    assert "\x00" not in stripped
    assert stripped.encode("utf-8").decode("utf-8") == stripped


def test_line_breaks_and_visible_characters_stay():
    assert strip_hidden(" 第一行\n\t第二行 👍🏽 A½ ") == "第一行\n\t第二行 👍🏽 A½"


def test_blank_letters_are_nothing():
    assert strip_hidden("\u3164\u2800\u200d\u00ad") == ""
