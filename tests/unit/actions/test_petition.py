"""A petition is read message by message, read back, and filed once."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from actions.answering import Answer
from actions.base import texts
from actions.danger import Crisis, Emergency
from actions.petition import CancelPetition, ReadPetition, SubmitPetition
from petitions import SYSTEM, Petition, PetitionError, Repeat, file_petition, new_wechat_conversation
from petitions.images import redraw
from petitions.photos import add_photo, photos_of, waiting_photos
from tests.photos import photo
from tests.unit.actions.fakes import FakeServices, Resident, kinds
from tests.unit.channels.fakes import KEYRING, NOW

COVER = "白花洞路口的井盖松了,一过车就响,希望修好"
EVERYTHING = "白花社区第二工业区昨晚有人乱倒垃圾,我叫李强,电话13800138000"
SIDE = [
    "ask_knowledge",
    "ask_source",
    "ask_reason",
    "cancel_petition",
    "track_ticket",
    "handoff",
    "nlu_fallback",
    "out_of_scope",
    "misuse",
    "abuse",
    "greet",
    "thank",
    "goodbye",
    "ask_capability",
    "emergency",
    "crisis",
]


def asked(name):
    return texts()["ask"][name]


def draft_of(resident):
    return resident.slots["petition_draft"]


def petitions_of(services):
    with services.sessions() as session:
        return session.scalar(select(func.count()).select_from(Petition))


def ready(services=None, sender="resident"):
    """A resident whose petition only needs the last word."""
    resident = Resident(services, sender)
    assert kinds(resident.tells(EVERYTHING, "file_petition")) == ["confirm"]
    return resident


# ---- reading


def test_the_first_message_is_the_matter_and_the_next_question_follows():
    resident = Resident()
    (message,) = resident.tells(COVER, "file_petition")
    assert draft_of(resident)["petition_matter"] == COVER
    assert draft_of(resident)["petition_community"] == "白花"
    assert message["text"] == asked("contact")


def test_a_message_without_a_matter_is_asked_for_it():
    resident = Resident()
    (message,) = resident.tells("我要反映一件事", "file_petition")
    assert message["text"] == asked("matter")
    assert draft_of(resident)["petition_matter"] is None


def test_one_message_may_give_everything():
    resident = ready()
    draft = draft_of(resident)
    assert draft["petition_community"] == "白花"
    assert draft["petition_name"] == "李强"
    assert draft["petition_phone"] == "13800138000"
    assert draft["petition_occurred"] == "昨晚"
    assert "13800138000" not in draft["petition_matter"]


@pytest.mark.parametrize("intent", SIDE)
def test_a_side_remark_goes_back_to_the_rules_and_changes_nothing(intent):
    resident = Resident()
    resident.tells(COVER, "file_petition")
    before = dict(resident.slots)
    assert resident.tells("顺便说一句别的", intent) is None
    assert resident.slots == before


def test_the_last_question_is_asked_again_after_a_side_remark():
    resident = Resident()
    (before,) = resident.tells(COVER, "file_petition")
    resident.tells("你好", "greet")
    resident.events.append({"event": "action", "name": "utter_greet"})
    _, events = resident.run(ReadPetition)
    assert [(event["name"], event["value"]) for event in events] == [("requested_slot", "petition_contact")]
    assert before["text"] == asked("contact")


def test_an_interrupting_message_is_not_read_into_the_draft():
    resident = Resident()
    resident.tells("楼上每天半夜拖桌子", "file_petition")
    before = draft_of(resident)
    resident.tells("碧眼社区今年做了什么", "ask_knowledge")
    resident.events.append({"event": "action", "name": "action_answer"})
    resident.run(ReadPetition)
    assert draft_of(resident) == before


def test_an_unsure_side_remark_is_read_as_an_answer():
    resident = Resident()
    resident.tells("楼上每天半夜拖桌子", "file_petition")
    resident.tells("碧眼社区", "ask_knowledge", confidence=0.2)
    assert draft_of(resident)["petition_community"] == "碧眼"


@pytest.mark.parametrize(("text", "intent"), [("13800138000", "track_ticket"), ("匿名", "ask_reason")])
def test_a_plain_answer_counts_whatever_its_intent_looks_like(text, intent):
    resident = Resident()
    resident.tells(COVER, "file_petition")
    assert kinds(resident.tells(text, intent)) == ["confirm"]


@pytest.mark.parametrize("intent", ["resume_petition", "repeat"])
def test_going_on_asks_the_last_question_again(intent):
    resident = Resident()
    resident.tells(COVER, "file_petition")
    before = draft_of(resident)
    (message,) = resident.tells("接着来", intent)
    assert message["text"] == asked("contact")
    assert draft_of(resident) == before


def test_the_key_of_a_petition_stays_and_the_next_one_has_another():
    resident = Resident()
    resident.tells(COVER, "file_petition")
    key = resident.slots["petition_key"]
    resident.tells("13800138000")
    assert resident.slots["petition_key"] == key
    resident.cancels()
    resident.tells(COVER, "file_petition")
    assert resident.slots["petition_key"] not in {None, key}


def test_thanks_are_never_a_name():
    resident = Resident()
    resident.tells(COVER, "file_petition")
    assert resident.tells("谢谢", "thank") is None
    assert draft_of(resident)["petition_name"] is None


def test_a_broken_phone_number_is_asked_for_again_in_other_words():
    resident = Resident()
    resident.tells(COVER, "file_petition")
    (message,) = resident.tells("1380013800")
    assert message["text"] == asked("contact_again")


def test_the_third_try_in_vain_offers_a_person_once():
    resident = Resident()
    resident.tells(COVER, "file_petition")
    said = [resident.tells("1380013") for _ in range(4)]
    assert [kinds(messages) for messages in said] == [["prompt"], ["prompt"], ["notice", "prompt"], ["prompt"]]
    assert "12345" in said[2][0]["text"]


def test_success_forgets_the_tries_in_vain():
    resident = Resident()
    resident.tells("楼上每天半夜拖桌子", "file_petition")
    resident.slots["petition_tries"] = 2
    (message,) = resident.tells("碧眼社区")
    assert message["text"] == asked("contact")
    assert resident.slots["petition_tries"] == 0


def test_an_ambiguous_place_is_asked_back_with_choices():
    resident = Resident()
    (message,) = resident.tells("新围那边的路灯坏了好几盏", "file_petition")
    assert message["kind"] == "clarify"
    choices = [button["text"] for button in message["buttons"]]
    assert len(choices) > 1
    resident.tells(choices[0])
    assert draft_of(resident)["petition_matter"] == "新围那边的路灯坏了好几盏"
    assert draft_of(resident)["petition_choices"] == []
    assert draft_of(resident)["petition_place"] != "新围"


def test_a_place_that_nobody_knows_may_stay_open():
    resident = Resident()
    (message,) = resident.tells("楼上每天半夜拖桌子", "file_petition")
    assert [button["text"] for button in message["buttons"]] == ["不清楚"]
    (message,) = resident.tells("不清楚")
    assert message["text"] == asked("contact")


def test_a_legal_path_is_named_before_anything_else_is_asked():
    resident = Resident()
    (message,) = resident.tells("公司违法辞退我,我已经申请了劳动仲裁", "file_petition")
    assert message["kind"] == "clarify"
    assert "仲裁" in message["text"]
    (message,) = resident.tells("仍要登记")
    assert message["text"] == asked("place")


def test_a_place_outside_ends_the_petition_with_the_body_in_charge():
    resident = Resident()
    (message,) = resident.tells("南山区科技园的路灯坏了", "file_petition")
    assert message["kind"] == "refusal"
    assert "12345" in message["text"]
    assert petitions_of(resident.services) == 0
    assert draft_of(resident) is None


def test_what_was_said_in_danger_is_part_of_the_petition():
    resident = Resident()
    resident.asks(Emergency, "楼道里煤气味很大", "emergency")
    resident.tells("我要反映一件事", "file_petition")
    assert draft_of(resident)["petition_matter"] == "楼道里煤气味很大"
    assert resident.slots["danger_text"] is None


def test_danger_and_matter_stand_together():
    resident = Resident(danger_text="楼道里煤气味很大")
    resident.tells("希望检查碧眼社区的煤气管道", "file_petition")
    assert draft_of(resident)["petition_matter"] == "楼道里煤气味很大。希望检查碧眼社区的煤气管道"


LIGHT, GAS = "碧眼社区的路灯坏了半个月没人修", "家里煤气漏了"


@pytest.mark.parametrize(
    ("wish", "filed", "waiting"),
    [
        ("只登记第一件", LIGHT, []),
        ("分开登记", LIGHT, [GAS]),
        ("合成一件登记", f"{GAS}。{LIGHT}", []),
    ],
)
def test_another_matter_takes_a_danger_in_only_if_the_resident_wants_it(wish, filed, waiting):
    resident = Resident(danger_text=GAS)
    (message,) = resident.tells(LIGHT, "file_petition")
    assert message["kind"] == "prompt"
    assert message["text"].index(LIGHT) < message["text"].index(GAS)
    assert resident.slots["danger_text"] is None
    (message,) = resident.tells(wish)
    assert message["text"] == asked("contact")
    draft = draft_of(resident)
    assert (draft["petition_matter"], draft["petition_community"]) == (filed, "碧眼")
    assert list(draft["petition_waiting"]) == waiting
    (message,) = resident.tells("匿名")
    assert ("煤气" in message["text"]) == (GAS in filed)


def test_a_danger_that_waits_is_filed_apart_or_not_at_all():
    resident = Resident(danger_text=GAS)
    for words in (LIGHT, "分开登记", "匿名"):
        resident.tells(words, "file_petition" if words == LIGHT else "inform_detail")
    messages = resident.tells("确认提交", "confirm")
    assert kinds(messages)[:2] == ["ticket", "notice"]
    assert GAS in messages[1]["text"]
    with resident.services.sessions() as session:
        assert session.scalars(select(Petition.matter)).all() == [LIGHT]


def test_a_question_without_answer_becomes_the_matter():
    resident = Resident(knowledge_context={"unanswered": "碧眼社区的公厕什么时候修好"})
    resident.tells("我想反映一下", "file_petition")
    assert draft_of(resident)["petition_matter"] == "碧眼社区的公厕什么时候修好"


def test_the_button_under_a_question_without_answer_stands_for_the_question():
    resident = Resident()
    (message,) = resident.asks(Answer, "碧眼社区的公厕什么时候修好")
    resident.tells(message["buttons"][0]["text"], "file_petition")
    assert draft_of(resident)["petition_matter"] == "碧眼社区的公厕什么时候修好"


def test_a_matter_of_its_own_is_kept_apart_from_an_older_question():
    resident = Resident(knowledge_context={"unanswered": "碧眼社区的公厕什么时候修好"})
    resident.tells(COVER, "file_petition")
    assert draft_of(resident)["petition_matter"] == COVER


def test_no_form_opens_on_despair_that_looks_a_little_like_a_petition():
    resident = Resident(danger_text="我不想活了")
    resident.asks(Crisis, "/crisis{}", "crisis")
    messages = resident.tells("我真的好累啊", "file_petition", confidence=0.3)
    assert kinds(messages) == ["crisis"]
    assert draft_of(resident) is None
    assert kinds(resident.tells(COVER, "file_petition")) == ["prompt"]


# ---- reading back


def test_the_petition_is_read_back_with_where_it_goes_and_why():
    resident = Resident()
    (message,) = resident.tells(EVERYTHING, "file_petition")
    for words in ("乱倒垃圾", "白花社区第二工业区", "昨晚", "李强 13800138000", "白花社区群众诉求服务大厅", "一般"):
        assert words in message["text"]
    assert message["ticket"]["number"] is None
    assert message["ticket"]["state"] == "draft"
    assert [button["text"] for button in message["buttons"]] == ["确认提交", "取消登记"]


@pytest.mark.parametrize(
    ("sender", "channel"), [(new_wechat_conversation(), "wechat"), ("resident", "chat"), ("wechat", "chat")]
)
def test_a_petition_carries_the_channel_of_its_conversation_whatever_a_slot_says(sender, channel):
    resident = ready(sender=sender)
    resident.slots |= {"channel": "letter", "metadata": {"channel": "letter"}}
    assert kinds(resident.tells("确认提交", "confirm")) == ["ticket"]
    with resident.services.sessions() as session:
        assert session.scalars(select(Petition.channel)).all() == [channel]


def test_the_read_back_says_how_many_photos_go_along_and_they_do():
    resident = Resident()
    (message,) = resident.tells(EVERYTHING, "file_petition")
    assert "照片" not in message["text"]
    with resident.services.sessions() as session:
        for colour in ("teal", "navy"):
            add_photo(session, KEYRING, resident.sender, redraw(photo(colour)), now=NOW)
        add_photo(session, KEYRING, "somebody else", redraw(photo()), now=NOW)
        session.commit()
    (message,) = resident.tells("时间应该是前天晚上")
    assert "照片：2 张，一并提交" in message["text"]
    (message,) = resident.tells("确认提交")
    with resident.services.sessions() as session:
        assert len(photos_of(session, message["ticket"]["number"], SYSTEM)) == 2
        assert waiting_photos(session, resident.sender) == 0
        assert waiting_photos(session, "somebody else") == 1


def test_what_is_cancelled_leaves_no_photo_for_the_next_petition():
    resident = Resident()
    resident.tells(EVERYTHING, "file_petition")
    with resident.services.sessions() as session:
        for owner in (resident.sender, "somebody else"):
            add_photo(session, KEYRING, owner, redraw(photo()), now=NOW)
        session.commit()
    (message,) = resident.asks(CancelPetition, "取消", "cancel_petition")
    assert message["text"] == texts()["cancelled"] + texts()["cancelled_photos"]
    with resident.services.sessions() as session:
        assert (waiting_photos(session, resident.sender), waiting_photos(session, "somebody else")) == (0, 1)
    (message,) = resident.asks(CancelPetition, "取消", "cancel_petition")
    assert message["text"] == texts()["nothing_left"]


def test_photos_that_cannot_be_deleted_are_not_said_to_be():
    services = FakeServices()
    resident = Resident(services)
    resident.tells(EVERYTHING, "file_petition")
    services.sessions = broken_sessions
    (message,) = resident.asks(CancelPetition, "取消", "cancel_petition")
    assert message["text"] == texts()["cancelled"]


def test_photos_that_cannot_be_counted_keep_no_petition_from_being_read_back(monkeypatch, caplog):
    def fail(*_args):
        raise OperationalError("SELECT", {}, Exception("words"))

    monkeypatch.setattr("actions.petition.waiting_photos", fail)
    (message,) = Resident().tells(EVERYTHING, "file_petition")
    assert message["kind"] == "confirm"
    assert "words" not in caplog.text


OFFERED = Repeat("GM2603020000013", "环境卫生", "白花", NOW.date(), "正在办理", is_concluded=False)


def test_the_same_matter_of_another_is_offered_and_joined(monkeypatch):
    monkeypatch.setattr("petitions.repeats.find_repeat", lambda *_args, **_more: OFFERED)
    joins = []
    monkeypatch.setattr(
        "actions.petition.file_petition",
        lambda *args, **more: joins.append(more["join"]) or file_petition(*args, **more),
    )
    for answer, join in (("是同一件", OFFERED.number), ("确认提交", None)):
        resident = Resident()
        (message,) = resident.tells(EVERYTHING, "file_petition")
        assert "已经有人反映过相似的事：白花社区，环境卫生，11月" in message["text"]
        assert "现在正在办理" in message["text"]
        assert OFFERED.number not in message["text"]
        assert message["buttons"][-1] == texts()["confirm"]["same_button"]
        assert kinds(resident.tells(answer, "confirm")) == ["ticket"]
        assert joins.pop() == join


def test_without_a_search_a_petition_is_filed_all_the_same(monkeypatch, caplog):
    def fail(*_args, **_more):
        raise OperationalError("SELECT", {}, Exception("words"))

    monkeypatch.setattr("petitions.repeats.find_repeat", fail)
    resident = ready()
    assert kinds(resident.tells("确认提交", "confirm")) == ["ticket"]
    assert "repeat_not_searched error=OperationalError" in caplog.text


def test_what_was_concluded_is_refused_with_the_law(monkeypatch):
    monkeypatch.setattr("petitions.repeats.find_repeat", lambda *_args, **_more: replace(OFFERED, is_concluded=True))

    def refuse(*_args, **_more):
        raise PetitionError("concluded_matter", source="《信访工作条例》第三十六条")

    resident = Resident()
    (message,) = resident.tells(EVERYTHING, "file_petition")
    assert "如果是同一件，依法不再受理" in message["text"]
    monkeypatch.setattr("actions.petition.file_petition", refuse)
    (message,) = resident.tells("是同一件", "confirm")
    assert (message["kind"], "第三十六条" in message["text"]) == ("notice", True)


def test_many_are_told_that_few_speak_for_them():
    (message,) = Resident().tells("我们小区三十多户联名反映白花社区昨晚有人乱倒垃圾,我叫李强", "file_petition")
    assert "代表不超过5人" in message["text"]


def test_a_correction_is_read_back_again():
    resident = ready()
    (message,) = resident.tells("地点说错了,是碧眼社区,不是白花社区")
    assert message["kind"] == "confirm"
    assert message["ticket"]["community"] == "碧眼"
    assert "白花" not in message["text"]
    assert petitions_of(resident.services) == 0


def test_an_anonymous_petition_reads_back_no_name():
    resident = Resident()
    resident.tells("白花社区第二工业区昨晚有人乱倒垃圾", "file_petition")
    (message,) = resident.tells("匿名")
    assert "联系人：匿名" in message["text"]


def test_an_accusation_shows_no_office_and_says_that_it_is_kept_apart():
    resident = Resident()
    resident.tells("白花社区书记收了包工头的红包", "file_petition")
    (message,) = resident.tells("匿名")
    assert message["ticket"]["level"] == "1"
    assert (message["ticket"]["office"], message["ticket"]["community"]) == (None, None)
    assert "专人办理" in message["text"]
    assert "None" not in message["text"]
    (message,) = resident.tells("确认提交")
    assert (message["ticket"]["office"], message["ticket"]["community"]) == (None, None)
    assert "由光明区群众诉求服务大厅办理" in message["text"]


# ---- filing


def test_a_confirmed_petition_is_filed_and_forgotten():
    resident = ready()
    (message,) = resident.tells("确认提交")
    assert message["kind"] == "ticket"
    assert message["ticket"]["number"] in message["text"]
    assert "查询码：" in message["text"]
    assert petitions_of(resident.services) == 1
    kept = {name: value for name, value in resident.slots.items() if name.startswith("petition_")}
    assert set(kept.values()) == {None}


def test_the_same_key_files_once_and_shows_the_same_ticket():
    resident = ready()
    kept = dict(resident.slots)
    first = resident.tells("确认提交")
    resident.slots = kept
    assert resident.tells("确认提交") == first
    assert petitions_of(resident.services) == 1


def broken_sessions():
    raise OperationalError("INSERT", {}, Exception("disk is full"))


def test_when_the_database_fails_the_draft_stays_and_goes_through_later():
    services = FakeServices()
    resident = ready(services)
    key, sound = resident.slots["petition_key"], services.sessions
    services.sessions = broken_sessions
    (message,) = resident.tells("确认提交")
    assert message == {"kind": "notice", "text": texts()["not_saved"]}
    services.sessions = sound
    assert petitions_of(services) == 0
    assert kinds(resident.tells("继续登记", "resume_petition")) == ["confirm"]
    assert resident.slots["petition_key"] == key
    assert kinds(resident.tells("确认提交")) == ["ticket"]
    assert petitions_of(services) == 1


def test_what_petitions_refuses_is_told_in_its_own_words():
    draft = {"petition_matter": "南山区的路灯坏了", "petition_is_confirmed": True}
    resident = Resident(petition_key="k", petition_draft=draft)
    resident.types("确认提交")
    (message,), _ = resident.run(SubmitPetition)
    assert message["kind"] == "notice"
    assert petitions_of(resident.services) == 0


# ---- giving up


def test_giving_up_forgets_what_was_typed():
    resident = ready()
    (message,) = resident.cancels()
    assert message["text"] == texts()["cancelled"]
    assert draft_of(resident) is None
    assert petitions_of(resident.services) == 0


def test_giving_up_before_a_matter_claims_nothing():
    resident = Resident()
    resident.tells("我要反映一件事", "file_petition")
    (message,) = resident.cancels()
    assert message["text"] == texts()["nothing_left"]


# ---- several matters in one message

TWO = "白花洞工地半夜打桩吵得睡不着,还有楼下垃圾堆了三天没人清"
FIRST, SECOND = "白花洞工地半夜打桩吵得睡不着", "还有楼下垃圾堆了三天没人清"


def apart(services=None):
    """A resident who wants two matters filed apart."""
    resident = Resident(services)
    (message,) = resident.tells(TWO, "file_petition")
    assert message["kind"] == "prompt"
    assert FIRST in message["text"]
    assert SECOND in message["text"]
    resident.tells("分开登记")
    return resident


def test_two_matters_are_asked_about_before_anything_else():
    resident = Resident()
    resident.tells(TWO, "file_petition")
    assert resident.slots["requested_slot"] == "petition_apart"
    assert draft_of(resident)["petition_matters"] == [FIRST, SECOND]
    assert draft_of(resident)["petition_place"] is None


def test_with_consent_each_matter_gets_its_own_ticket():
    resident = apart()
    assert draft_of(resident)["petition_matter"] == FIRST
    assert draft_of(resident)["petition_community"] == "白花"
    resident.tells("我叫李强,13800138000")
    messages = resident.tells("确认提交")
    assert kinds(messages) == ["ticket", "notice"]
    assert SECOND in messages[1]["text"]
    (again,) = resident.run(ReadPetition)[1]
    assert again["value"] == "petition_place"
    messages = resident.tells("碧眼社区")
    assert kinds(messages) == ["confirm"]
    assert "垃圾堆了三天" in messages[0]["text"]
    assert "打桩" not in messages[0]["text"]
    assert "李强" in messages[0]["text"]
    assert kinds(resident.tells("确认提交")) == ["ticket"]
    assert petitions_of(resident.services) == 2


def test_the_next_matter_is_begun_by_the_form_itself():
    resident = apart()
    resident.tells("13800138000")
    resident.types("确认提交")
    resident.run(ReadPetition)
    _, events = resident.run(SubmitPetition)
    assert [event["name"] for event in events if event["event"] == "followup"] == ["petition_form"]


def test_together_two_matters_are_one_ticket_with_all_words():
    resident = Resident()
    resident.tells(TWO, "file_petition")
    resident.tells("合成一件登记")
    assert draft_of(resident)["petition_matter"] == TWO
    assert draft_of(resident)["petition_waiting"] == []
    resident.tells("13800138000")
    assert kinds(resident.tells("确认提交")) == ["ticket"]


@pytest.mark.parametrize("text", ["什么意思", "东周社区", "嗯?"])
def test_without_a_clear_word_it_is_asked_again(text):
    resident = Resident()
    (before,) = resident.tells(TWO, "file_petition")
    assert resident.tells(text)[-1] == before


@pytest.mark.parametrize("text", ["好的", "可以", "两件都登记", "一件一件来", "分开吧"])
def test_every_way_to_consent_parts_them(text):
    resident = Resident()
    resident.tells(TWO, "file_petition")
    resident.tells(text)
    assert draft_of(resident)["petition_waiting"] == [SECOND]


@pytest.mark.parametrize("text", ["不用分开", "写在一起吧", "算一件就行"])
def test_every_way_to_decline_keeps_them_together(text):
    resident = Resident()
    resident.tells(TWO, "file_petition")
    resident.tells(text)
    assert draft_of(resident)["petition_matter"] == TWO
    assert draft_of(resident)["petition_matters"] == []


def test_who_gives_the_first_up_keeps_the_second():
    resident = apart()
    (message,) = resident.cancels()
    assert SECOND in message["text"]
    (message,) = resident.tells("我要反映一件事", "file_petition")
    assert draft_of(resident)["petition_matter"] == SECOND
    assert message["text"] == asked("place")


def test_a_matter_that_waits_stays_behind_a_new_one():
    resident = apart()
    resident.cancels()
    resident.tells("碧眼社区公园的长椅断了两条", "file_petition")
    assert draft_of(resident)["petition_matter"] == "碧眼社区公园的长椅断了两条"
    assert draft_of(resident)["petition_waiting"] == [SECOND]


def test_a_first_matter_outside_does_not_take_the_second_with_it():
    resident = Resident()
    resident.tells("福田区下沙村有人占道摆摊卖水果,还有我家楼下垃圾堆了三天没人清", "file_petition")
    messages = resident.tells("分开登记")
    assert kinds(messages) == ["refusal", "notice"]
    assert "垃圾堆了三天" in messages[1]["text"]


def test_a_danger_told_before_stays_with_the_first_of_two_matters():
    resident = Resident(danger_text="厨房漏煤气了")
    wages = "还有老板拖欠我两个月工资没发"
    resident.tells(f"碧眼社区的煤气管道一直没人修,{wages}", "file_petition")
    resident.tells("分开登记")
    assert draft_of(resident)["petition_matter"] == "厨房漏煤气了。碧眼社区的煤气管道一直没人修"
    assert list(draft_of(resident)["petition_waiting"]) == [wages]


def test_a_danger_beside_two_other_matters_is_the_third():
    resident = Resident(danger_text="厨房漏煤气了")
    resident.tells(TWO, "file_petition")
    assert list(draft_of(resident)["petition_matters"]) == [FIRST, SECOND, "厨房漏煤气了"]


# ---- a question beside a matter


def test_a_question_behind_a_matter_is_answered_and_the_matter_taken_down():
    resident = Resident()
    messages = resident.tells("碧眼社区公园的长椅断了两条,顺便问下去年办了几场招聘会", "file_petition")
    assert kinds(messages) == ["answer", "prompt"]
    assert draft_of(resident)["petition_matter"] == "碧眼社区公园的长椅断了两条"


def test_a_question_that_nobody_can_answer_stays_in_the_matter():
    resident = Resident()
    text = "碧眼社区公园的长椅断了两条,顺便问下明年谁来修"
    resident.tells(text, "file_petition")
    said = draft_of(resident)
    assert "明年谁来修" in "".join([said["petition_matter"], *said["petition_matters"]])


def test_a_matter_beside_a_question_is_offered_and_begins_the_petition():
    resident = Resident()
    messages = resident.asks(Answer, "去年办了几场招聘会?我们门口的路灯坏了没人修")
    assert kinds(messages) == ["answer", "clarify"]
    assert "我们门口的路灯坏了没人修" in messages[1]["text"]
    resident.tells("我要反映一件事", "file_petition")
    assert draft_of(resident)["petition_matter"] == "我们门口的路灯坏了没人修"
