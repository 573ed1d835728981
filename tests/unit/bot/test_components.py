"""The components of the understanding pipeline, run in the environment of the bot."""

from pathlib import Path

import pytest

from tests.unit.bot.running import run_in_bot

SCRIPT = Path(__file__).with_name("check_components.py")
LONG = "你好" * 1000
TEXTS = [
    "你好",
    "您好早上好",
    "拜拜下次见",
    "結束",
    "结束",
    "不想活",
    "路灯坏了 ,还没修!",
    "路燈壞了",
    "😀😀",
    "。",
    "👋👋!",
    "７号楼 ABC",
    " 你 好 ",
    LONG,
]


@pytest.fixture(scope="module")
def results():
    return run_in_bot(SCRIPT, told=TEXTS)


@pytest.fixture
def of(results):
    return results["texts"].__getitem__


def words(result):
    return [word for word, _, _ in result["tokens"]]


def test_words_stand_where_they_were_typed(of):
    text = "路灯坏了 ,还没修!"
    result = of(text)
    assert "".join(words(result)) == "路灯坏了还没修"
    assert all(text[start:end] == word for word, start, end in result["tokens"])


def test_traditional_characters_become_the_words_of_simplified_ones(of):
    assert words(of("路燈壞了")) == words(of("路灯坏了 ,还没修!"))[: len(words(of("路燈壞了")))]
    assert of("路燈壞了")["simplified"] == "路灯坏了"


@pytest.mark.parametrize("text", ["😀😀", "。"])
def test_signs_alone_are_one_word(of, text):
    assert of(text)["tokens"] == [[text, 0, len(text)]]


def test_latin_letters_become_small(of):
    assert "abc" in words(of("７号楼 ABC"))


@pytest.mark.parametrize(("text", "intent"), [("您好早上好", "greet"), ("拜拜下次见", "goodbye")])
def test_a_sentence_gets_the_intent_of_sentences_like_it(of, text, intent):
    assert of(text)["intent"]["name"] == intent
    assert of(text)["ranking"][0] == of(text)["intent"]


@pytest.mark.parametrize("text", ["😀😀", "。"])
def test_signs_alone_have_no_intent(of, text):
    assert of(text)["intent"] == {"name": None, "confidence": 0.0}
    assert of(text)["ranking"] == []


def test_a_pattern_decides_for_signs_alone(of):
    assert of("👋👋!")["ranking"] == [{"name": "greet", "confidence": 1.0}]


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in {"😀😀", "。", "👋👋!"}])
def test_every_text_has_a_full_ranking_of_chances(of, text):
    ranking = of(text)["ranking"]
    assert {row["name"] for row in ranking} == {"greet", "goodbye", "crisis"}
    assert all(0.0 <= row["confidence"] <= 1.0 for row in ranking)


def test_an_intent_below_its_threshold_comes_last(of):
    ranking = of("不想活")["ranking"]
    assert ranking[-1]["name"] == "crisis"
    assert ranking[-1]["confidence"] == max(row["confidence"] for row in ranking)


def test_a_pattern_decides_for_its_intent(of):
    assert of("结束")["intent"] == {"name": "goodbye", "confidence": 1.0}
    assert of("結束")["intent"]["confidence"] < 1.0


@pytest.mark.parametrize("text", TEXTS)
def test_a_loaded_classifier_is_the_trained_one(of, text):
    assert of(text)["is_same_when_loaded"]


def test_spaces_change_nothing(of):
    assert of(" 你 好 ")["intent"]["name"] == of("你好")["intent"]["name"] == "greet"


def test_a_message_without_words_stays_without_intent(results):
    assert results["empty"] is None
