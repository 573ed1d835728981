"""A draft fills from whatever residents say, and keeps what they have said."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jurisdiction import load_jurisdiction
from petitions.intake import Draft, next_slot, read_message
from petitions.triage import triage

JURISDICTION = load_jurisdiction()
NOISE = Draft(matter="楼下烧烤店吵得睡不着")
FULL = Draft(
    matter="楼下烧烤店吵得睡不着",
    place="碧眼社区菜市场旁边",
    community="碧眼",
    occurred="每晚十点",
    name="陈",
    phone="13800138000",
    is_anonymous=False,
)


def read(draft: Draft, text: str, requested: str | None = None) -> Draft:
    return read_message(draft, text, f"petition_{requested}" if requested else None, JURISDICTION)


def asked_next(draft: Draft) -> str | None:
    return next_slot(draft, triage(draft.text, JURISDICTION))


@pytest.mark.parametrize(
    "text",
    [
        "我想反映个事",
        "我要投诉",
        "我要投诉！",
        "你好，我想投诉一下",
        "我有个问题想反映",
        "想登记一个诉求",
        "您好",
        "我要举报",
        "有件事想跟你们说一下",
    ],
)
def test_saying_that_there_is_something_to_say_gives_no_matter(text: str) -> None:
    draft = read(Draft(), text)
    assert draft.matter is None
    assert asked_next(draft) == "petition_matter"


@pytest.mark.parametrize("text", ["我要投诉楼上漏水", "我想反映路灯不亮", "举报有人偷倒垃圾", "房东不退押金怎么办"])
def test_the_first_message_is_the_matter_in_full(text: str) -> None:
    assert read(Draft(), text).matter == text


def test_contact_data_is_not_kept_in_the_matter() -> None:
    draft = read(Draft(), "我叫陈大文，电话13800138000，碧眼社区的垃圾三天没人清，臭得很。不要匿名")
    assert draft.matter == "碧眼社区的垃圾三天没人清，臭得很。"
    assert (draft.name, draft.phone, draft.is_anonymous, draft.community) == ("陈大文", "13800138000", False, "碧眼")


def test_the_number_of_somebody_else_stays_in_the_matter() -> None:
    draft = read(Draft(), "房东不退押金，房东电话13900139000，一直不接")
    assert "13900139000" in (draft.matter or "")
    assert draft.phone is None


def test_one_message_may_answer_several_questions() -> None:
    draft = read(
        NOISE,
        "就在碧眼社区菜市场旁边,每晚十点到凌晨两点,我姓陈,电话13800138000,不匿名,没有照片,就这些",
        "place",
    )
    assert draft == replace(
        NOISE,
        place="碧眼社区菜市场旁边",
        community="碧眼",
        occurred="每晚十点到凌晨两点",
        name="陈",
        phone="13800138000",
        is_anonymous=False,
    )
    assert asked_next(draft) == "petition_confirmed"


def test_later_detail_is_added_to_the_matter() -> None:
    draft = read(NOISE, "碧眼菜市场，那家店招牌叫老地方烧烤", "place")
    assert draft.matter == "楼下烧烤店吵得睡不着。那家店招牌叫老地方烧烤"
    assert draft.community == "碧眼"


@pytest.mark.parametrize("text", ["不知道", "说不清", "我也不太清楚是哪个社区", "不晓得"])
def test_a_place_nobody_knows_is_asked_once(text: str) -> None:
    draft = read(NOISE, text, "place")
    assert draft.place is None
    assert asked_next(draft) == "petition_occurred"


def test_a_place_no_list_knows_is_kept_as_said() -> None:
    draft = read(NOISE, "村口大榕树下面", "place")
    assert (draft.place, draft.community) == ("村口大榕树下面", None)
    assert asked_next(draft) == "petition_occurred"


def test_an_ambiguous_place_is_asked_with_choices_and_left_after_two_answers() -> None:
    first = read(Draft(), "新围的垃圾没人清")
    assert first.place == "新围"
    assert "光明社区新围" in first.choices
    assert asked_next(first) == "petition_place"
    second = read(first, "就是新围啊", "place")
    assert asked_next(second) == "petition_place"
    third = read(second, "新围", "place")
    assert (third.place, third.community, third.choices) == ("新围", None, ())
    assert asked_next(third) == "petition_contact"


@pytest.mark.parametrize("answer", ["光明社区新围", "光明社区的", "第一个", "1", "光明社区"])
def test_a_choice_settles_an_ambiguous_place(answer: str) -> None:
    draft = read(read(Draft(), "新围的垃圾没人清"), answer, "place")
    assert (draft.community, draft.choices) == ("光明", ())
    assert "新围" in (draft.place or "")


def test_an_unknown_answer_to_choices_keeps_the_name() -> None:
    draft = read(read(Draft(), "新围的垃圾没人清"), "不知道", "place")
    assert (draft.place, draft.community, draft.choices) == ("新围", None, ())


def test_the_time_is_asked_only_where_it_matters() -> None:
    with_place = replace(NOISE, place="碧眼社区", community="碧眼")
    assert asked_next(with_place) == "petition_occurred"
    assert asked_next(replace(with_place, matter="楼下烧烤店半夜吵得睡不着", occurred="半夜")) == "petition_contact"
    assert asked_next(Draft(matter="房东不退押金", place="碧眼社区", community="碧眼")) == "petition_contact"


@pytest.mark.parametrize(
    ("text", "occurred"),
    [
        ("每天晚上11点到2点", "每天晚上11点到2点"),
        ("从上周三开始", "从上周三开始"),
        ("不固定", "不清楚"),
        ("上个月20号", "上个月20号"),
    ],
)
def test_a_time_is_read(text: str, occurred: str) -> None:
    assert read(NOISE, text, "occurred").occurred == occurred


@pytest.mark.parametrize(
    ("text", "name", "phone", "is_anonymous"),
    [
        ("13800138000", None, "13800138000", False),
        ("138 0013 8000", None, "13800138000", False),
        ("陈大文", "陈大文", None, False),
        ("我姓王", "王", None, False),
        ("李女士", "李女士", None, False),
        ("不留", None, None, True),
        ("都不留了。", None, None, True),
        ("跳过", None, None, True),
        ("跳过吧", None, None, True),
        ("不想说", None, None, True),
        ("不用了，谢谢", None, None, True),
        ("先不留", None, None, True),
        ("匿名", None, None, True),
        ("我不想留名字", None, None, True),
        ("不方便透露", None, None, True),
        ("不用匿名，我叫张伟，13800138000", "张伟", "13800138000", False),
    ],
)
def test_contact_is_a_name_a_phone_or_the_wish_to_stay_unnamed(
    text: str, name: str | None, phone: str | None, is_anonymous: bool
) -> None:
    draft = read(NOISE, text, "contact")
    assert (draft.name, draft.phone, draft.is_anonymous) == (name, phone, is_anonymous)


@pytest.mark.parametrize("asked", ["place", "occurred"])
@pytest.mark.parametrize("text", ["跳过", "不想说", "不用了"])
def test_passing_over_another_question_says_nothing_of_the_name(text: str, asked: str) -> None:
    assert not read(NOISE, text, asked).is_anonymous


def test_not_anonymous_alone_still_asks_who() -> None:
    draft = read(replace(NOISE, place="碧眼", community="碧眼", occurred="半夜"), "不匿名", "contact")
    assert draft.is_anonymous is False
    assert asked_next(draft) == "petition_contact"


@pytest.mark.parametrize("text", ["1380013", "138001380001", "电话是12345678"])
def test_a_phone_of_wrong_length_is_asked_again(text: str) -> None:
    assert read(NOISE, text, "contact") == NOISE


@pytest.mark.parametrize("text", ["还是要登记", "知道了，继续登记吧", "好的", "我看到了，还是想提交"])
def test_the_legal_path_is_shown_before_going_on(text: str) -> None:
    draft = Draft(matter="劳动仲裁裁决下来了公司不给钱", place="碧眼", community="碧眼")
    assert asked_next(draft) == "petition_legal_seen"
    seen = read(draft, text, "legal_seen")
    assert seen.legal_seen
    assert asked_next(seen) == "petition_contact"


@pytest.mark.parametrize("text", ["那不用了", "仲裁要去哪里申请？", "算了"])
def test_who_does_not_want_to_go_on_is_not_taken_to(text: str) -> None:
    draft = Draft(matter="劳动仲裁裁决下来了公司不给钱")
    assert not read(draft, text, "legal_seen").legal_seen


@pytest.mark.parametrize(
    "text",
    ["确认", "提交", "对", "没问题", "好的", "嗯，提交吧", "对的，没错", "可以", "确认提交", "行，就这样吧", "OK"],
)
def test_a_yes_confirms(text: str) -> None:
    draft = read(FULL, text, "confirmed")
    assert draft == replace(FULL, is_confirmed=True)
    assert asked_next(draft) is None


@pytest.mark.parametrize("text", ["不对", "等一下", "多久能处理好？", "这个会交给谁呢", "我的信息会保密吗", "不提交"])
def test_anything_else_does_not_confirm(text: str) -> None:
    assert read(FULL, text, "confirmed") == FULL


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("地点说错了，是迳口，不是碧眼", {"place": "迳口", "community": "迳口"}),
        ("地址不对，应该是白花社区富民花园", {"place": "白花社区富民花园", "community": "白花"}),
        ("电话错了，应该是13900139000", {"phone": "13900139000"}),
        ("我的名字写错了，改成李红", {"name": "李红"}),
        ("时间不对，应该是每晚八点", {"occurred": "每晚八点"}),
        ("不是碧眼，是东周", {"place": "东周", "community": "东周"}),
    ],
)
def test_a_correction_replaces_its_field_and_keeps_the_rest(text: str, changed: dict[str, str]) -> None:
    assert read(replace(FULL, is_confirmed=True), text, "confirmed") == replace(FULL, **changed)


@pytest.mark.parametrize("requested", ["place", "occurred", "contact", "legal_seen", "confirmed"])
@pytest.mark.parametrize("text", ["高龄津贴怎么领？", "你们几点下班", "去年办了几场招聘会", "谁来处理这个事？"])
def test_another_question_changes_nothing(requested: str, text: str) -> None:
    draft = Draft(matter="房东不退押金")
    assert read(draft, text, requested) == draft


def test_a_draft_survives_its_slots() -> None:
    draft = read(read(Draft(), "新围的垃圾没人清，我姓陈"), "新围", "place")
    slots = draft.to_slots()
    assert all(name.startswith("petition_") for name in slots)
    assert Draft.from_slots(slots | {"other": 1}) == draft
    assert Draft.from_slots({"petition_place_asked": 1.0}) == Draft(place_asked=1)


@given(st.text(alphabet="我姓陈碧眼新围光明垃圾没人清电话是13800，。不匿名每天晚上的地点错了？", max_size=40))
def test_reading_a_message_twice_is_reading_it_once(text: str) -> None:
    once = read(Draft(), text)
    if once.matter is not None:
        twice = read(once, text)
        assert replace(read(twice, text), place_asked=0) == replace(twice, place_asked=0)


@given(
    st.text(max_size=200), st.sampled_from([None, "matter", "place", "occurred", "contact", "legal_seen", "confirmed"])
)
def test_any_message_can_be_read(text: str, requested: str | None) -> None:
    assert read(FULL, text, requested).matter


def test_a_titled_name_with_its_number_right_behind_it_is_kept() -> None:
    draft = read(Draft(), "王先生13600001111，碧眼垃圾没人收")
    assert (draft.name, draft.phone, draft.matter) == ("王先生", "13600001111", "碧眼垃圾没人收")
    assert read(NOISE, "王先生13600001111", "contact").name == "王先生"


@pytest.mark.parametrize("text", ["都行", "方便", "应该", "尽快"])
def test_a_short_word_is_no_name(text: str) -> None:
    assert read(NOISE, text, "contact").name is None


@pytest.mark.parametrize("text", ["好的谢谢", "嗯嗯", "快点吧"])
def test_a_short_word_is_no_place(text: str) -> None:
    assert read(NOISE, text, "place").place is None


@pytest.mark.parametrize("text", ["登记成咨询", "帮我登记成投诉吧", "那就按求助办理"])
def test_the_kind_of_ticket_alone_is_no_matter(text: str) -> None:
    assert read(Draft(), text).matter is None


@pytest.mark.parametrize(
    ("text", "name", "phone"),
    [
        ("陳大文", "陳大文", None),
        ("鍾嘉麗 13800138000", "鍾嘉麗", "13800138000"),
        ("李强，电话13800138000", "李强", "13800138000"),
        ("13800138000 周建国", "周建国", "13800138000"),
        ("葉師傅１３８００１３８０００", "葉師傅", "13800138000"),
        ("林今晚", "林今晚", None),
        ("我叫梁仲有", "梁仲有", None),
        ("我姓歐陽,幺三八零零幺三八零零零", "歐陽", "13800138000"),
    ],
)
def test_names_and_numbers_are_kept_as_they_were_given(text: str, name: str, phone: str | None) -> None:
    draft = read(NOISE, text, "contact")
    assert (draft.name, draft.phone) == (name, phone)


@pytest.mark.parametrize("text", ["13800138000 随时可以打", "白天打13800138000", "13800138000，时间随便"])
def test_what_stands_beside_a_number_is_not_always_a_name(text: str) -> None:
    draft = read(NOISE, text, "contact")
    assert (draft.name, draft.phone) == (None, "13800138000")


def test_the_words_of_the_matter_stay_as_they_were_typed() -> None:
    text = "樓下燒臘店嘅油煙好大,欠我三百二十一蚊,成日嘈到十一點😭"
    assert read(Draft(), text).matter == text
