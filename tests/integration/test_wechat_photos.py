"""Photos on WeChat: fetched at once, later, or never; once, for the petition of their conversation, and forgotten."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from channels.texts import say
from channels.wechat.media import WeChatMedia
from channels.wechat.rules import own_rules
from channels.wechat.simulator import Console, Fault, made_up_photo
from channels.wechat.store import WeChatInbox, WeChatPerson, purge
from petitions.images import own_photos, redraw
from petitions.log import SYSTEM
from petitions.model import Petition
from petitions.photo_model import Photo
from petitions.photos import open_photo, photos_of, previews
from tests.integration.cases import KEYRING
from tests.integration.test_wechat import A, B, run
from tests.photos import photo, told_where

DOWN = [Fault(status=502)]
EXPECTED = say("wechat.photos.expected")
GONE = say("wechat.photos.gone")


def kept(count):
    return say("wechat.photos.kept", count=count, hours=own_photos().staged_hours)


def waiting(engine, openid_at=0):
    """The photos that wait in the conversation of the person of that place, small."""
    with Session(engine) as session:
        conversations = session.scalars(select(WeChatPerson.conversation).order_by(WeChatPerson.id)).all()
        return [one.small for one in previews(session, KEYRING, conversations[openid_at])]


def test_a_photo_is_fetched_at_once_and_waits_for_the_petition_of_its_sender(engine):
    async def scenario(one):
        assert await sends(one, A, told_where()) == kept(1)
        assert await sends(one, A, photo()) == kept(2)
        # The same once more, in a message of its own.
        assert await sends(one, A, told_where()) == kept(2)
        assert await sends(one, B, photo()) == kept(1)
        assert waiting(engine) == [redraw(told_where()).small, redraw(photo()).small]
        await one.ask(A, "登记路灯")
        with Session(engine) as session:
            number = session.scalars(select(Petition.number)).one()
            assert len(photos_of(session, number, SYSTEM)) == 2
        assert waiting(engine) == []
        assert len(waiting(engine, 1)) == 1
        after = say("wechat.photos.kept_after", count=1, hours=own_photos().staged_hours, number=number)
        assert await sends(one, A, photo()) == after

    run(engine, scenario)


def test_what_cannot_be_taken_is_told_in_words(engine):
    async def scenario(one):
        for content, words in (
            (b"GIF89a" + b"\0" * 100, "不是JPG或PNG"),
            (photo()[:300], "打不开"),
            (photo() + b"\0" * own_photos().limit_bytes, "不能超过5MB"),
            (photo() + b"\0" * 10_000_000, "不能超过5MB"),
        ):
            assert words in await sends(one, A, content)
        for index in range(own_photos().most):
            await sends(one, A, photo(size=(30 + index, 30)))
        assert "最多放3张" in await sends(one, A, made_up_photo())
        assert "最多放3张" in await fails_at_first(one, made_up_photo())
        assert await shown_after(one, A, one.simulator.deliver(A, "image", {"MediaId": "gone"})) == GONE
        with Session(engine) as session:
            assert session.scalars(select(WeChatMedia.inbox_id)).all() == []

    run(engine, scenario)


async def sends(one, openid, content):
    """What a resident is shown after a photo, at once or later."""
    return await shown_after(one, openid, one.simulator.photograph(openid, content))


async def shown_after(one, openid, doing):
    before = len(one.seen(openid))
    await doing
    return (await one.until_seen(openid, before + 1))[-1]


async def fails_at_first(one, content, openid=A):
    one.simulator.media_faults.extend(DOWN)
    return await sends(one, openid, content)


def test_a_photo_that_cannot_be_fetched_comes_later_and_finds_its_petition(engine):
    async def scenario(one):
        assert await fails_at_first(one, photo()) == EXPECTED
        # Messages after it need not wait.
        await one.ask(A, "登记路灯")
        with Session(engine) as session:
            number = session.scalars(select(Petition.number)).one()
            assert [shown.width for shown in photos_of(session, number, SYSTEM)] == [None]
        one.simulator.media_faults.extend(DOWN)
        await one.catch_up(timedelta(minutes=1))
        await one.catch_up(timedelta(minutes=1))
        with Session(engine) as session:
            assert session.scalars(select(WeChatMedia.attempts)).all() == [1]
        await one.catch_up(timedelta(minutes=4))
        with Session(engine) as session:
            assert open_photo(session, KEYRING, number, 1, SYSTEM) == redraw(photo()).large
            assert session.scalars(select(WeChatMedia.inbox_id)).all() == []
        assert GONE not in one.seen(A)

    run(engine, scenario)


def test_after_three_days_the_resident_is_asked_again(engine):
    async def scenario(one):
        assert await fails_at_first(one, photo()) == EXPECTED
        hours = own_rules().media_hours
        one.simulator.media_faults.extend(DOWN)
        await one.catch_up(timedelta(hours=hours - 1))
        with Session(engine) as session:
            assert session.scalars(select(WeChatMedia.attempts)).all() == [1]
        with Session(engine) as session:
            # The message is kept as long as its photo is fetched.
            assert purge(session, own_rules(), now=one.services.clock()) > 0
            assert session.scalars(select(WeChatInbox.id)).all()
            session.commit()
        one.simulator.media_faults.extend(DOWN)
        await one.catch_up(timedelta(hours=2))
        assert waiting(engine) == []
        with Session(engine) as session:
            assert session.scalars(select(Photo.id)).all() == []
            assert session.scalars(select(WeChatMedia.inbox_id)).all() == []
        # The window in which it could be sent is over: it goes with the next reply.
        assert GONE in await one.ask(A, "你好")

    run(engine, scenario)


def test_what_wechat_no_longer_has_is_told_at_once(engine):
    async def scenario(one):
        assert await fails_at_first(one, photo()) == EXPECTED
        one.simulator.media.clear()
        await one.catch_up(timedelta(minutes=1))
        assert (await one.until_seen(A, 2))[-1] == GONE
        assert waiting(engine) == []

    run(engine, scenario)


def test_two_workers_fetch_it_once(engine):
    async def scenario(one):
        await fails_at_first(one, photo())
        one.simulator.media_faults.extend([Fault(slow_seconds=0.5)])
        await asyncio.gather(one.catch_up(timedelta(minutes=2)), one.catch_up())
        assert waiting(engine) == [redraw(photo()).small]
        assert len([line for line in one.lines if "media/get" in line]) == 2

    run(engine, scenario)


def test_who_unfollows_leaves_no_photo_that_waits_or_is_to_be_fetched(engine):
    async def scenario(one):
        await sends(one, A, photo())
        await fails_at_first(one, told_where())
        await sends(one, B, photo())
        await one.simulator.touch(A, "unsubscribe")
        with Session(engine) as session:
            assert session.scalars(select(WeChatMedia.inbox_id)).all() == []
            owner = session.scalars(select(Photo.owner)).one()
            assert owner == session.scalars(select(WeChatPerson.conversation)).one()

    run(engine, scenario)


def test_a_slow_photo_is_answered_after_and_the_next_message_in_order(engine):
    async def scenario(one):
        one.simulator.media_faults.append(Fault(slow_seconds=1.5))
        assert await one.simulator.photograph(A, photo()) is None
        await one.simulator.write(A, "你好")
        assert await one.until_seen(A, 2) == [kept(1), "收到：你好"]

    run(engine, scenario)


@pytest.mark.parametrize("kind", ["unverified"])
def test_an_account_that_may_fetch_nothing_asks_for_words(engine, kind):
    async def scenario(one):
        assert await sends(one, A, photo()) == say("wechat.hints.image")
        assert not [line for line in one.lines if "media/get" in line]

    run(engine, scenario, kind)


def test_a_voice_message_without_words_is_answered_kindly_and_nothing_of_it_is_fetched(engine):
    async def scenario(one):
        voice = {"MediaId": "m", "Format": "amr", "Recognition": ""}
        said = await shown_after(one, A, one.simulator.deliver(A, "voice", voice))
        assert said == say("wechat.hints.voice")
        assert "12345" in said
        voice["Recognition"] = "路灯坏了"
        assert await shown_after(one, A, one.simulator.deliver(A, "voice", voice)) == "收到：路灯坏了"
        assert not [line for line in one.lines if "media/get" in line]

    run(engine, scenario)


def test_photos_can_be_tried_in_the_terminal(engine, tmp_path):
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(photo())

    async def scenario(one):
        lines = iter([":photo\n", f":photo {mine}\n", ":photo /nowhere\n", ":quit\n"])
        await Console(one.simulator, A, one.lines.append).run(lambda: next(lines))
        assert await one.until_seen(A, 2) == [kept(1), kept(2)]

    run(engine, scenario)
