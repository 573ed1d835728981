"""Conversations as Rasa keeps them, in the environment of the bot."""

import base64
import json
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from suqiutong.processes import conversations_address, rasa_environment
from suqiutong.settings import Settings
from tests.postgresql import postgresql_server
from tests.unit.bot.running import run_in_bot

SCRIPT = Path(__file__).with_name("check_conversations.py")
WORDS = "楼下垃圾没人清，我叫李强，13800138000"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def address(request, tmp_path_factory):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('conversations') / 'conversations.db'}"
        return
    with postgresql_server() as server:
        yield conversations_address(Settings(database_url=server.render_as_string(hide_password=False)))


@pytest.fixture(scope="module")
def found(address):
    return run_in_bot(SCRIPT, address, told=WORDS)


def test_a_conversation_goes_on_where_it_was_after_a_restart(found):
    assert found["draft"] == {"matter": WORDS}
    assert found["said"] == WORDS
    assert (found["keys"], found["unknown"]) == (["talk"], None)


def test_its_words_are_sealed_and_for_its_owner_alone(found, address):
    assert found["both"] == ["old", "talk"]
    if not address.startswith("sqlite:///"):
        return  # a server keeps its own files
    path = Path(address.removeprefix("sqlite:///"))
    raw = b"".join(one.read_bytes() for one in path.parent.iterdir())
    assert WORDS.encode() not in raw
    assert json.dumps(WORDS).encode() not in raw
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_conversation_is_replaced_and_deleted(found):
    assert found["other"] == "other words"
    assert found["deleted"] == [0, False, None]


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
    assert environment["SUQIUTONG_CONVERSATIONS"] == f"sqlite:///{tmp_path / 'conversations.db'}"


def test_several_rasas_share_the_conversations_in_postgresql(tmp_path):
    given = URL.create("postgresql+psycopg", "su", "a@b", "db.test", database="qiu")
    shared = Settings(data=tmp_path, database_url=given.render_as_string(hide_password=False))
    wanted = given.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    assert rasa_environment(shared)["SUQIUTONG_CONVERSATIONS"] == wanted
