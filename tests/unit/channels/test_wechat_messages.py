"""Every kind of message and event, as what the assistant gets of it; wechatpy reads the same fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy import parse_message as their_parse

from channels.wechat.codec import CodecError, build_xml, parse_xml
from channels.wechat.messages import Forget, Hint, Ignore, NoticeResult, Photo, Say, read_message

MENU = {"petition": "我要反映一件事"}
COMMON = {"ToUserName": "gh_1", "FromUserName": "o-1", "CreateTime": "1764000000"}


def read(kind, **fields):
    return read_message(COMMON | {"MsgType": kind} | fields, MENU)


def event(name, **fields):
    return read("event", Event=name, **fields)


@pytest.mark.parametrize(
    ("kind", "fields", "meaning"),
    [
        ("text", {"Content": "你好"}, Say("你好")),
        ("text", {"Content": "确认提交", "bizmsgmenuid": "1"}, Say("确认提交")),
        ("text", {"Content": "/restart"}, Say("/restart")),
        ("text", {}, Say("")),
        ("voice", {"MediaId": "m", "Format": "amr", "Recognition": "路灯坏了。"}, Say("路灯坏了。")),
        ("voice", {"MediaId": "m", "Format": "amr", "Recognition": " "}, Hint("voice")),
        ("voice", {"MediaId": "m", "MediaId16K": "n"}, Hint("voice")),
        ("image", {"PicUrl": "http://p", "MediaId": "m"}, Photo("m")),
        ("image", {"PicUrl": "http://p"}, Hint("image")),
        ("video", {"MediaId": "m", "ThumbMediaId": "t"}, Hint("video")),
        ("shortvideo", {"MediaId": "m", "ThumbMediaId": "t"}, Hint("video")),
        (
            "location",
            {"Location_X": "22.7", "Location_Y": "113.9", "Label": "光明街道碧眼社区"},
            Say("光明街道碧眼社区"),
        ),
        ("location", {"Location_X": "22.7", "Location_Y": "113.9", "Label": ""}, Hint("location")),
        ("link", {"Title": "新闻", "Description": "摘要", "Url": "http://a"}, Say("新闻\n摘要")),
        ("link", {"Url": "http://a"}, Hint("link")),
        ("file", {"Title": "a.pdf"}, Hint("file")),
        ("hologram", {}, Ignore(is_known=False)),
    ],
)
def test_messages(kind, fields, meaning):
    message = read(kind, MsgId="6054768590064713728", **fields)
    assert (message.kind, message.meaning, message.is_written) == (kind, meaning, True)
    assert (message.openid, message.account) == ("o-1", "gh_1")


@pytest.mark.parametrize(
    ("name", "fields", "meaning"),
    [
        ("subscribe", {}, Hint("subscribe")),
        ("subscribe", {"EventKey": "qrscene_1", "Ticket": "t"}, Hint("subscribe")),
        ("SCAN", {"EventKey": "1", "Ticket": "t"}, Hint("scan")),
        ("unsubscribe", {}, Forget()),
        ("user_authorization_revoke", {}, Forget()),
        ("CLICK", {"EventKey": "petition"}, Say("我要反映一件事")),
        ("CLICK", {"EventKey": "/restart"}, Ignore(is_known=False)),
        ("VIEW", {"EventKey": "https://example.test"}, Ignore()),
        ("LOCATION", {"Latitude": "22.7", "Longitude": "113.9", "Precision": "9"}, Ignore()),
        ("scancode_push", {"EventKey": "k"}, Ignore()),
        ("scancode_waitmsg", {"EventKey": "k"}, Ignore()),
        ("pic_sysphoto", {}, Ignore()),
        ("pic_photo_or_album", {}, Ignore()),
        ("pic_weixin", {}, Ignore()),
        ("location_select", {}, Ignore()),
        ("subscribe_msg_popup_event", {}, Ignore()),
        ("subscribe_msg_change_event", {}, Ignore()),
        ("TEMPLATESENDJOBFINISH", {"MsgID": "7", "Status": "success"}, NoticeResult("7", "ok")),
        ("TEMPLATESENDJOBFINISH", {"MsgID": "7", "Status": "failed:user block"}, NoticeResult("7", "block")),
        ("TEMPLATESENDJOBFINISH", {"MsgID": "7", "Status": "failed: system failed"}, NoticeResult("7", "system")),
        ("TEMPLATESENDJOBFINISH", {}, NoticeResult("", "unknown")),
        ("subscribe_msg_sent_event", {"SubscribeMsgSentEvent.ErrorCode": "0"}, NoticeResult("", "ok")),
        ("subscribe_msg_sent_event", {"SubscribeMsgSentEvent.ErrorCode": "43101"}, NoticeResult("", "43101")),
        ("debug_demo", {}, Ignore(is_known=False)),
        ("", {}, Ignore(is_known=False)),
    ],
)
def test_events(name, fields, meaning):
    message = event(name, **fields)
    assert (message.kind, message.meaning, message.is_written) == (f"event.{name}", meaning, False)


def test_a_message_is_known_by_its_id_and_an_event_by_sender_moment_and_name():
    assert read("text", MsgId="1").key == read("text", MsgId="1", CreateTime="1764000005").key
    assert read("text", MsgId="1").key != read("text", MsgId="2").key
    assert read("text", MsgId="1").key != read("text", MsgId="1", ToUserName="gh_2").key
    click = event("CLICK", EventKey="petition")
    assert click.key == event("CLICK", EventKey="petition").key
    assert click.key != event("CLICK", EventKey="status").key
    assert click.key != event("VIEW", EventKey="petition").key
    assert click.key != event("CLICK", EventKey="petition", CreateTime="1764000001").key
    assert click.key != event("CLICK", EventKey="petition", FromUserName="o-2").key


@pytest.mark.parametrize("name", ["ToUserName", "FromUserName", "CreateTime", "MsgType"])
@pytest.mark.parametrize("value", ["", None])
def test_without_sender_account_moment_or_kind_it_is_none(name, value):
    fields = COMMON | {"MsgType": "text"} | ({name: value} if value is not None else {})
    if value is None:
        del fields[name]
    with pytest.raises(CodecError):
        read_message(fields, MENU)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_the_second_opinion_reads_the_same_text(content):
    body = build_xml(COMMON | {"MsgType": "text", "Content": content, "MsgId": "42"})
    ours = read_message(parse_xml(body), MENU)
    theirs = their_parse(body)
    assert theirs.source == ours.openid
    # Theirs takes an empty element for an absent one.
    assert (theirs.content or "").strip() == ours.meaning.text.strip()


@given(
    st.dictionaries(st.sampled_from([*COMMON, "MsgType", "Event", "EventKey", "MsgId", "Status"]), st.text(max_size=9))
)
def test_any_fields_are_read_or_refused(fields):
    try:
        message = read_message(fields, MENU)
    except CodecError:
        return
    assert len(message.key) == 64
    assert message.openid
