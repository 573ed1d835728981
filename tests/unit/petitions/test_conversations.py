"""The door of a conversation is known by its name, which a resident cannot choose."""

import pytest

from petitions import channel_of, new_wechat_conversation


def test_a_conversation_on_wechat_is_known_by_its_name():
    names = {new_wechat_conversation() for _ in range(20)}
    assert len(names) == 20
    assert {channel_of(name) for name in names} == {"wechat"}


@pytest.mark.parametrize("name", ["", "resident", "wechat-", "wechat-" + "A" * 32, "x" + "wechat-" + "0" * 32])
def test_every_other_is_a_conversation_on_the_page(name):
    assert channel_of(name) == "chat"
