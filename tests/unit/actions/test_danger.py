"""Danger and despair: safety first, whatever understanding made of the words."""

from actions.base import texts
from actions.danger import Crisis, Emergency
from tests.unit.actions.fakes import Resident, places

GAS = "厨房里一股煤气味,漏气了"


def test_a_known_danger_gets_the_advice_of_its_kind():
    resident = Resident()
    (message,) = resident.asks(Emergency, GAS, "emergency")
    assert message == {"kind": "emergency", "text": resident.services.find_danger(GAS).advice}
    assert resident.slots["danger_text"] == GAS


def test_a_danger_that_no_lexicon_knows_gets_the_numbers():
    (message,) = Resident().asks(Emergency, "这里好可怕快来", "emergency")
    assert message["kind"] == "emergency"
    for phone in ("police", "fire", "ambulance", "gas"):
        assert places().phones[phone].number in message["text"]


def test_a_danger_that_is_over_is_no_alarm():
    resident = Resident()
    (message,) = resident.asks(Emergency, "前天楼下失火已经灭了,门烧坏了", "emergency")
    assert message["kind"] == "clarify"
    assert message["buttons"] == texts()["danger_past_buttons"]
    assert resident.slots["danger_text"] == "前天楼下失火已经灭了,门烧坏了"


def test_the_danger_that_the_door_found_is_the_one_that_is_kept():
    resident = Resident(danger_text=GAS)
    resident.asks(Emergency, "/emergency{}", "emergency")
    assert resident.slots["danger_text"] == GAS


def test_despair_gets_company_and_is_remembered():
    resident = Resident(danger_text="我不想活了")
    (message,) = resident.asks(Crisis, "/crisis{}", "crisis")
    assert message == {"kind": "crisis", "text": resident.services.find_danger("我不想活了").advice}
    assert resident.slots == {"in_crisis": True, "danger_text": None}


def test_despair_in_words_that_no_lexicon_knows_gets_the_mind_line():
    (message,) = Resident().asks(Crisis, "什么都没有意义", "crisis")
    assert message["kind"] == "crisis"
    assert places().phones["mind"].number in message["text"]


def test_an_emergency_is_no_reason_to_hold_company_back():
    (message,) = Resident(danger_text=GAS).asks(Crisis, "/crisis{}", "crisis")
    phones = {id_: phone.number for id_, phone in places().phones.items()}
    assert message == {"kind": "crisis", "text": texts()["crisis_again"].format(phones=phones)}
