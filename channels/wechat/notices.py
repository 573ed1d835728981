"""What a resident is told on WeChat of their petitions: the number and the state, nothing personal."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from channels.services import Services
from channels.texts import say
from channels.wechat import store
from channels.wechat.account import Account
from channels.wechat.client import Api, WeChatError, make_http
from channels.wechat.mine import PATH
from channels.wechat.route import make_client

logger = logging.getLogger(__name__)

# A field of a template holds 20 signs; a longer one is refused with the whole notice.
FIELD_SIGNS = 20


async def tell(
    services: Services, conversation: str, *, text: str, number: str, label: str, key: str, is_repeated: bool = False
) -> bool:
    """Tell whom a conversation is with, over WeChat.

    Args:
        services: What the channels are given.
        conversation: Of the petition.
        text: What a message says.
        number: Of the ticket.
        label: What has become of it, for a notice, which has little room.
        key: The same notice again has the same key, by which WeChat knows a template's.
        is_repeated: They may have been told; a message, which has no key, says so.

    Returns:
        False when they cannot be told over WeChat: no account, no follower, no way that is open.

    Raises:
        WeChatError: later it may work.
    """
    account = services.wechat
    if account is None:
        return False
    async with make_http(account.api_url) as http:
        api = make_client(services, account, http)
        text = say("wechat.repeated", text=text) if is_repeated else text
        return await _tell(services, account, api, conversation, text=text, number=number, label=label, key=key)


async def _tell(
    services: Services, account: Account, api: Api, conversation: str, *, text: str, number: str, label: str, key: str
) -> bool:
    if not account.may_send:
        return False
    with services.sessions() as session:
        found = store.reach(session, store.Box(services.secret), conversation, now=services.clock())
        session.commit()
    if found is None:
        return False
    if found.is_open and await _try(lambda: api.send_text(found.openid, text)):
        return True
    if found.is_open:
        with services.sessions() as session:
            store.close_window(session, found.person_id)
            session.commit()
    if not account.may_notify:
        return False
    values = {"number": number, "state": label[:FIELD_SIGNS]}
    fields = {account.notice_fields[name]: value for name, value in values.items() if name in account.notice_fields}
    url = services.settings.public_url + PATH if services.settings.public_url else ""
    return await _try(lambda: api.send_notice(found.openid, fields, url=url, key=key))


async def _try(send: Callable[[], Awaitable[None]]) -> bool:
    """Whether it was sent; not, when it never will be this way."""
    try:
        await send()
    except WeChatError as error:
        logger.warning("wechat_notice_not_sent code=%s", error.code)
        if error.retryable:
            raise
        return False
    return True
