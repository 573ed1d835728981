"""Passwords, second factors, where a login may lead, and clocks in words; without any database."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from desk import factor
from desk.accounts import Staff, is_password, is_weak, set_password
from desk.clock_words import clock_words, span_words
from desk.login import inside
from petitions import Keyring, PetitionError
from petitions.model import RunningClock

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
KEYRING = Keyring("k1", {"k1": b"1" * 32})
KEY = b"k" * 32


@pytest.fixture
def member():
    return Staff(id=7, name="张三", role="operator", disabled_at=None, factor_step=0, recovery_digests=[])


def test_only_the_password_is_the_password(member):
    assert not is_password(member, "")
    set_password(member, "一个足够长的好密码")
    assert is_password(member, "一个足够长的好密码")
    assert not is_password(member, "一个足够长的好密吗")
    assert member.password_hash.startswith("$argon2id$")
    assert not is_password(None, "一个足够长的好密码")
    member.disabled_at = NOW
    assert not is_password(member, "一个足够长的好密码")


def test_a_password_counts_to_its_last_sign(member):
    set_password(member, "长" * 200)
    assert is_password(member, "长" * 200)
    assert not is_password(member, "长" * 201)


@pytest.mark.parametrize(
    ("password", "weak"),
    [
        ("短", True),
        ("长" * 201, True),
        ("长" * 10, True),
        ("1234567890", True),
        ("password123", True),
        ("1qaz2wsx3edc", True),
        ("suqiutong2026", True),
        ("张三张三张三张三张三", True),
        ("光明街道12345", True),
        ("correct horse battery staple", False),
        ("今年春天院子里的桂花开得早", False),
        ("今年春天院子里的桂花开得早，" + "长" * 186, False),
    ],
)
def test_weak_passwords(member, password, weak):
    assert is_weak(member, password, words=("光明街道",)) is weak


@pytest.mark.parametrize(("seconds", "counts"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_a_clock_may_be_off_by_one_step(seconds, counts):
    secret = factor.new_secret()
    code = pyotp.TOTP(secret).at(NOW + timedelta(seconds=seconds))
    assert (factor.step_of(secret, f" {code[:3]} {code[3:]}", now=NOW) is not None) is counts


@pytest.mark.parametrize("code", ["", "abcdef", "１２３４５６", "1" * 400])
def test_what_is_no_code_is_wrong(code):
    assert factor.step_of(factor.new_secret(), code, now=NOW) is None


def test_a_code_counts_once_and_a_recovery_code_too(member):
    secret = factor.new_secret()
    codes = factor.set_factor(member, KEYRING, secret, step=0, key=KEY)
    assert len({*codes}) == 10
    code = pyotp.TOTP(secret).at(NOW)
    assert factor.use_code(member, KEYRING, code, now=NOW, key=KEY)
    assert not factor.use_code(member, KEYRING, code, now=NOW, key=KEY)
    assert factor.use_code(member, KEYRING, codes[3], now=NOW, key=KEY)
    assert not factor.use_code(member, KEYRING, codes[3], now=NOW, key=KEY)
    assert not any(code in str(member.recovery_digests) for code in codes)


def test_a_secret_moved_to_another_account_cannot_be_opened(member):
    factor.set_factor(member, KEYRING, factor.new_secret(), step=0, key=KEY)
    member.id = 8
    with pytest.raises(PetitionError):
        factor.use_code(member, KEYRING, "000000", now=NOW, key=KEY)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [("/tickets?a=1", "/tickets?a=1"), ("", "/"), ("//x", "/"), ("/\\x", "/"), ("https://x/", "/"), ("/a\n", "/")],
)
def test_where_a_login_may_lead(path, leads_to):
    assert inside(path) == leads_to


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=1, hours=4, minutes=59), "1 天 4 小时"),
        (timedelta(days=3), "3 天"),
        (timedelta(days=2, minutes=5), "2 天"),
        (timedelta(hours=3), "3 小时"),
        (timedelta(hours=3, minutes=7), "3 小时 7 分钟"),
        (timedelta(minutes=35, seconds=59), "35 分钟"),
        (timedelta(seconds=20), "1 分钟"),
    ],
)
def test_spans_in_words(span, words):
    assert span_words(span) == words


@pytest.mark.parametrize(
    ("left", "more", "words", "tone"),
    [
        (timedelta(days=1, hours=4), {}, "剩 1 天 4 小时", "calm"),
        (timedelta(hours=23), {}, "剩 23 小时", "soon"),
        (timedelta(hours=-3), {}, "已超期 3 小时", "late"),
        (timedelta(hours=-3), {"paused_at": NOW}, "已暂停", "paused"),
        (timedelta(days=2), {"is_provisional": True}, "剩 2 天（暂定）", "calm"),
    ],
)
def test_clocks_in_words(left, more, words, tone):
    clock = RunningClock(clock="close", due_at=NOW + left, article="第三十四条", is_window=False)
    for name, value in more.items():
        setattr(clock, name, value)
    found = clock_words(clock, now=NOW)
    assert (found.words, found.tone, found.label) == (words, tone, "办结")
