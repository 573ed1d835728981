"""Tencent's own vectors, and everything that must be refused. wechatpy is the second opinion."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature as their_check_signature

from channels.wechat.codec import Codec, CodecError, Crypt, build_xml, parse_xml, sign, text_reply

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "wechat.json").read_text(encoding="utf-8"))
KEY, OLD_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "A" * 43
APP_ID, TOKEN, NOW = "wxb11529c136998cb6", "spamtest", 1_764_000_000.0


def named(entries):
    return [pytest.param(entry, id=entry["name"]) for entry in entries]


def query(timestamp=int(NOW), nonce="n", **more):
    return {"signature": sign(TOKEN, str(timestamp), nonce), "timestamp": str(timestamp), "nonce": nonce} | more


def encrypted(plain, crypt=None, **more):
    cipher = (crypt or Crypt([KEY], APP_ID)).encrypt(plain)
    given = query(encrypt_type="aes", **more)
    given["msg_signature"] = sign(TOKEN, given["timestamp"], given["nonce"], cipher)
    return given, build_xml({"ToUserName": "gh_1", "Encrypt": cipher}).encode()


def codec(mode="safe", keys=(KEY,)):
    return Codec(token=TOKEN, mode=mode, crypt=Crypt(keys, APP_ID) if mode != "plain" else None)


def refused(code, call, *arguments, **keywords):
    with pytest.raises(CodecError) as raised:
        call(*arguments, **keywords)
    assert raised.value.code == code


@pytest.mark.parametrize("entry", named(VECTORS["get_signature"]))
def test_the_address_is_verified_as_tencent_does(entry):
    theirs = Codec(token=entry["token"], mode="plain", crypt=None)
    asked = {name: entry[name] for name in ("signature", "timestamp", "nonce")} | {"echostr": entry.get("echostr", "")}
    assert theirs.check_address(asked, now=float(entry["timestamp"])) == entry.get("echostr", "")
    refused("signature", theirs.check_address, asked | {"nonce": "1"}, now=float(entry["timestamp"]))


def test_the_signature_of_the_page_interface_is_plain_sha1():
    entry = VECTORS["jsapi_signature"]
    joined = "&".join(f"{name}={entry[name]}" for name in ("jsapi_ticket", "noncestr", "timestamp", "url"))
    assert sign(joined) == entry["signature"]


@pytest.mark.parametrize("entry", named(VECTORS["encrypt_fixed_random"]))
def test_encryption_is_tencent_s_byte_for_byte(entry):
    crypt = Crypt([entry["encoding_aes_key"]], entry["app_id"])
    assert crypt.encrypt(entry["plain"], random16=entry["random16"].encode()) == entry["cipher"]
    assert crypt.decrypt(entry["cipher"]) == (entry["plain"], 0)
    if "msg_signature" in entry:
        signed = sign(entry["token"], entry["timestamp"], entry["nonce"], entry["cipher"])
        assert signed == entry["msg_signature"]


@pytest.mark.parametrize("entry", named(VECTORS["decrypt"]))
def test_tencent_s_ciphers_are_opened(entry):
    signed = sign(entry["token"], entry["timestamp"], entry["nonce"], entry["cipher"])
    assert signed == entry["msg_signature"]
    crypt = Crypt([entry["encoding_aes_key"]], entry["receive_id"])
    assert crypt.decrypt(entry["cipher"]) == (entry["plain"], 0)
    refused("receiver", Crypt([entry["encoding_aes_key"]], "wx0").decrypt, entry["cipher"])


@given(st.text(max_size=300))
def test_a_second_implementation_opens_what_we_seal_and_the_other_way_round(text):
    theirs, timestamp, nonce = WeChatCrypto(TOKEN, KEY, APP_ID), str(int(NOW)), "n"
    cipher = Crypt([KEY], APP_ID).encrypt(text)
    signature = sign(TOKEN, timestamp, nonce, cipher)
    envelope = build_xml({"ToUserName": "gh_1", "Encrypt": cipher})
    opened = theirs.decrypt_message(envelope, signature, timestamp, nonce)
    assert (opened if isinstance(opened, str) else opened.decode()) == text
    their_check_signature(TOKEN, sign(TOKEN, timestamp, nonce), timestamp, nonce)
    sealed = parse_xml(theirs.encrypt_message(text, nonce, timestamp))
    assert Crypt([KEY], APP_ID).decrypt(sealed["Encrypt"]) == (text, 0)


@pytest.mark.parametrize("key", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "中" * 43])
def test_a_key_of_another_shape_is_refused(key):
    with pytest.raises(ValueError, match="43"):
        Crypt([key], APP_ID)


def test_each_mode_takes_its_own_bodies_alone():
    given, body = encrypted("<xml><MsgType>text</MsgType></xml>")
    plain = b"<xml><MsgType>text</MsgType></xml>"
    assert codec("safe").open(given, body, now=NOW).fields == {"MsgType": "text"}
    assert codec("plain").open(query(), plain, now=NOW).key_number is None
    for mode in ("safe", "compatible"):
        refused("mode", codec(mode).open, query(), plain, now=NOW)
        refused("mode", codec(mode).open, query(encrypt_type="raw"), plain, now=NOW)
    refused("mode", codec("plain").open, given, body, now=NOW)
    # Sent as encrypted, with nothing encrypted in it.
    bare = query(encrypt_type="aes", msg_signature=sign(TOKEN, str(int(NOW)), "n", ""))
    refused("cipher", codec("safe").open, bare, plain, now=NOW)
    with pytest.raises(ValueError, match="AESKey"):
        Codec(token=TOKEN, mode="safe", crypt=None)


def test_in_compatible_mode_what_stands_plain_beside_it_is_not_believed():
    given, body = encrypted("<xml><Content>真</Content></xml>")
    forged = body.replace(b"</xml>", "<Content>假</Content></xml>".encode())
    assert codec("compatible").open(given, forged, now=NOW).fields == {"Content": "真"}


def test_the_key_before_still_opens_and_its_answer_uses_it():
    given, body = encrypted("<xml/>", Crypt([OLD_KEY], APP_ID))
    both = codec(keys=(KEY, OLD_KEY))
    opened = both.open(given, body, now=NOW)
    assert opened.key_number == 1
    sealed = parse_xml(both.seal("<xml>答</xml>", opened.key_number, now=NOW))
    assert Crypt([OLD_KEY], APP_ID).decrypt(sealed["Encrypt"])[0] == "<xml>答</xml>"
    assert sealed["MsgSignature"] == sign(TOKEN, sealed["TimeStamp"], sealed["Nonce"], sealed["Encrypt"])
    refused("cipher", codec(keys=(KEY,)).open, given, body, now=NOW)


@pytest.mark.parametrize(("seconds", "is_taken"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_only_callbacks_of_now_are_taken(seconds, is_taken):
    given, body = encrypted("<xml/>", timestamp=int(NOW) + seconds)
    if is_taken:
        assert codec().open(given, body, now=NOW)
    else:
        refused("stale", codec().open, given, body, now=NOW)


@pytest.mark.parametrize("timestamp", ["", "x", "-5", "١٢٣", "9" * 40])
def test_a_timestamp_that_is_none_is_refused(timestamp):
    refused("stale", codec("plain").open, query(timestamp=timestamp), b"<xml/>", now=NOW)


def test_a_changed_body_or_signature_is_refused():
    given, body = encrypted("<xml><Content>a</Content></xml>")
    refused("signature", codec().open, given | {"msg_signature": "0" * 40}, body, now=NOW)
    refused("signature", codec().open, given | {"signature": "签名"}, body, now=NOW)
    refused("signature", codec().open, {}, body, now=NOW)
    other = encrypted("<xml><Content>b</Content></xml>")[1]
    refused("signature", codec().open, given, other, now=NOW)


def test_a_flipped_bit_is_refused_wherever_it_is():
    # CBC alone would let some pass: the signature covers the cipher.
    given, body = encrypted("<xml><Content>a</Content></xml>")
    cipher = base64.b64decode(parse_xml(body)["Encrypt"])
    for position in range(len(cipher)):
        changed = bytearray(cipher)
        changed[position] ^= 1
        envelope = build_xml({"Encrypt": base64.b64encode(changed).decode()}).encode()
        refused("signature", codec().open, given, envelope, now=NOW)


def raw_cipher(content):
    return base64.b64encode(_encrypt_raw(content)).decode()


def _encrypt_raw(content):
    encryptor = Crypt([KEY], APP_ID)._cipher(0).encryptor()
    return encryptor.update(content) + encryptor.finalize()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bytes(16) + b"\0\0\0\0" + APP_ID.encode().ljust(44, b"\0"), id="padding 0"),
        pytest.param(bytes(31) + bytes([33]) + bytes([33]) * 32, id="padding 33"),
        pytest.param(bytes(32), id="zeros"),
        pytest.param(bytes([32]) * 32, id="padding alone"),
        pytest.param(bytes(16) + b"\0\0\xff\xff" + APP_ID.encode() + bytes([26]) * 26, id="length beyond the end"),
        pytest.param(bytes(16) + b"\0\0\0\1\xff" + APP_ID.encode() + bytes([25]) * 25, id="no UTF-8"),
    ],
)
def test_what_is_not_built_as_tencent_builds_it_is_refused(content):
    assert len(content) % 32 == 0
    refused("cipher", Crypt([KEY], APP_ID).decrypt, raw_cipher(content))


@pytest.mark.parametrize(("cipher", "code"), [("*", "base64"), ("中", "base64"), ("", "cipher"), ("AAAA", "cipher")])
def test_what_is_no_cipher_is_refused(cipher, code):
    refused(code, Crypt([KEY], APP_ID).decrypt, cipher)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "xml"),
        (b"{}", "xml"),
        (b"<xml>", "xml"),
        (b"<html/>", "xml"),
        (b"<xml><a>1</b></xml>", "xml"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>', "xml"),
        (b'<!doctype x SYSTEM "file:///etc/passwd"><xml/>', "xml"),
        (b"<xml><Content>&unknown;</Content></xml>", "xml"),
        ('<?xml version="1.0" encoding="utf-16"?><xml><a>1</a></xml>'.encode("utf-16"), "xml"),
        ("<xml><Content>\ufffe</Content></xml>".encode("utf-16-le"), "xml"),
        (b"<xml><Content>\xff\xfe</Content></xml>", "xml"),
        (b"<xml>" + b"<a>" * 300 + b"</a>" * 300 + b"</xml>", "xml"),
        (b"<xml><Content>" + b"a" * 70_000 + b"</Content></xml>", "too_long"),
    ],
)
def test_hostile_xml_is_refused(body, code):
    refused(code, parse_xml, body)


def test_fields_inside_fields_are_read_and_repeats_do_not_win():
    body = "<xml><A>1</A><A>2</A><Scan><Result><![CDATA[<b>]]></Result></Scan><Empty/></xml>"
    assert parse_xml(body) == {"A": "1", "Scan": "", "Scan.Result": "<b>", "Empty": ""}


def outcome(call, *arguments):
    try:
        call(*arguments)
    except CodecError as error:
        return error.code
    return "taken"


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda inner: b"<xml><a>" + inner + b"</a></xml>"))
def test_any_bytes_are_parsed_or_refused(body):
    assert outcome(parse_xml, body) in {"taken", "xml"}


@given(st.integers(0, 4).flatmap(lambda count: st.binary(min_size=count * 32, max_size=count * 32)))
def test_any_cipher_is_opened_or_refused(raw):
    cipher = base64.b64encode(raw).decode()
    assert outcome(Crypt([KEY, OLD_KEY], APP_ID).decrypt, cipher) in {"cipher", "receiver"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=99))
def test_any_text_of_a_reply_comes_back_as_it_was(text):
    reply = text_reply(to="o", account="gh", text=text, created_at=1)
    assert parse_xml(reply)["Content"] == text


def test_a_reply_cannot_be_broken_out_of():
    fields = parse_xml(
        text_reply(to="o", account="gh", text="]]></Content><MsgType>news\x00\x08</MsgType>", created_at=1)
    )
    assert fields["MsgType"] == "text"
    assert fields["Content"] == "]]></Content><MsgType>news</MsgType>"
