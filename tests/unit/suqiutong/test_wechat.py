import json

import pytest

from suqiutong.errors import CommandError
from suqiutong.settings import Settings
from suqiutong.wechat import read_account

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SECRETS = {"token": "spamtest", "aes_key": KEY, "previous_aes_key": "A" * 43, "app_secret": "hush"}


def account(tmp_path, secrets=SECRETS, mode=0o600, **values):
    path = tmp_path / "wechat.json"
    path.write_text(secrets if isinstance(secrets, str) else json.dumps(secrets), encoding="utf-8")
    path.chmod(mode)
    return read_account(Settings(_env_file=None, data=tmp_path, wechat_app_id="wx1", **values))


def test_without_an_app_id_there_is_no_account(tmp_path):
    assert read_account(Settings(_env_file=None, data=tmp_path)) is None


def test_the_secrets_come_from_their_file_and_are_not_shown(tmp_path):
    found = account(tmp_path, wechat_kind="service", wechat_notice="template")
    assert found.aes_keys == (KEY, "A" * 43)
    assert (found.may_send, found.may_notify) == (True, True)
    assert not any(secret in repr(found) for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("kind", "may_send", "may_notify"),
    [("unverified", False, False), ("subscription", True, False), ("service", True, True)],
)
def test_what_an_account_may_do(tmp_path, kind, may_send, may_notify):
    found = account(tmp_path, wechat_kind=kind, wechat_notice="template")
    assert (found.may_send, found.may_notify) == (may_send, may_notify)


@pytest.mark.parametrize(
    ("secrets", "values", "words"),
    [
        ("{", {}, "not JSON"),
        ("[]", {}, "not JSON"),
        (SECRETS | {"token": "a b"}, {}, "token"),
        (SECRETS | {"aes_key": KEY[1:]}, {}, "aes_key"),
        (SECRETS | {"aes_keys": KEY}, {}, "aes_keys"),
        ({"token": "spamtest"}, {}, "needs aes_key"),
        ({"token": "spamtest", "aes_key": KEY}, {"wechat_kind": "service"}, "needs app_secret"),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(tmp_path, secrets, values, words):
    with pytest.raises(CommandError, match=words) as raised:
        account(tmp_path, secrets, **values)
    assert KEY[1:] not in str(raised.value)


def test_a_file_that_others_can_read_or_that_is_missing_is_refused(tmp_path):
    with pytest.raises(CommandError, match="chmod 600"):
        account(tmp_path, mode=0o644)
    with pytest.raises(CommandError, match="is missing"):
        read_account(Settings(_env_file=None, data=tmp_path / "other", wechat_app_id="wx1"))
