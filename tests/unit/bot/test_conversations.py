"""Conversations as Rasa keeps them, in the environment of the bot."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from suqiutong.processes import rasa_environment
from suqiutong.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("check_conversations.py")
WORDS = "楼下垃圾没人清，我叫李强，13800138000"


@pytest.fixture(scope="module")
def found():
    done = subprocess.run(
        [ROOT / ".venv-bot" / "bin" / "python", "-W", "ignore", SCRIPT],
        input=json.dumps(WORDS),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RASA_TELEMETRY_ENABLED": "false", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_conversation_goes_on_where_it_was_after_a_restart(found):
    assert found["draft"] == {"matter": WORDS}
    assert found["said"] == WORDS
    assert (found["keys"], found["unknown"]) == (["talk"], None)


def test_its_words_are_sealed_and_for_its_owner_alone(found):
    assert found["is_sealed"]
    assert found["mode"] == "0o600"


def test_what_nobody_goes_on_with_is_deleted(found):
    assert found["after_a_while"] == ["new"]


def test_without_a_file_conversations_stay_in_memory(found):
    assert found["memory"] == "dict"


def test_a_long_conversation_stays_short_and_keeps_its_slots_and_its_form(found):
    talk = found["long"]
    assert (talk["draft"], talk["requested"], talk["form"]) == ({"matter": "路灯不亮"}, "slot2", "petition_form")
    first = 60 - len(talk["said"])
    assert 8 <= len(talk["said"]) <= 16
    assert talk["said"] == [f"第{turn}句" for turn in range(first, 60)]
    assert talk["most_events"] < 70


def test_rasa_is_told_the_file_and_a_key_of_its_own(tmp_path):
    environment = rasa_environment(Settings(data=tmp_path))
    key = environment["SUQIUTONG_CONVERSATIONS_KEY"]
    assert len(base64.urlsafe_b64decode(key)) == 32
    assert key == rasa_environment(Settings(data=tmp_path))["SUQIUTONG_CONVERSATIONS_KEY"]
    assert json.loads((tmp_path / "secrets.json").read_text())["secret"] not in str(environment)
    assert environment["SUQIUTONG_CONVERSATIONS"] == str(tmp_path / "conversations.db")
