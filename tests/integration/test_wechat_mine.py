"""我的诉求 in WeChat: opened without number and code by whom WeChat has named, and by nobody else."""

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from channels.app import create_app
from channels.texts import say
from channels.wechat import store
from channels.wechat.login import WeChatLogin, purge_logins
from channels.wechat.rules import own_rules
from channels.wechat.simulator import Console, Fault, Simulator, listening
from storage import begin_writing
from tests.conftest import free_ports
from tests.integration.cases import STATION, file_case, person, step
from tests.integration.wechat import Clocked, account
from tests.unit.channels.fakes import FakeRasa, FakeSettings

A, B = "o-resident-a", "o-resident-b"
IN_WECHAT = {"User-Agent": "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50"}
ANSWER = "路灯已于昨天修好。"


class Site:
    """The product, WeChat, and browsers before them."""

    def __init__(self, simulator, services, address):
        self.simulator, self.services, self.address = simulator, services, address

    def browser(self, openid="", **headers):
        self.simulator.visitor = openid
        return httpx.AsyncClient(base_url=self.address, trust_env=False, headers=IN_WECHAT | headers)

    def follow(self, openid, key="form-1", matter="碧眼社区的路灯坏了"):
        """A follower who has filed a petition; its ticket."""
        services = self.services
        with services.sessions() as session:
            arrival = store.arrive(
                session, store.Box(services.secret), key=f"{openid}{key}", openid=openid, kind="text",
                payload={"say": "x"}, allowance=own_rules().written, is_written=True, now=services.clock(),
            )  # fmt: skip
            petition = file_case(session, key)
            petition.conversation, petition.matter = arrival.conversation, matter
            session.commit()
            return petition


@asynccontextmanager
async def site(engine, kind="service"):
    mine, theirs = free_ports(2)
    services = Clocked(
        sessions=sessionmaker(engine, expire_on_commit=False),
        settings=FakeSettings(public_url=f"http://127.0.0.1:{mine}", messages_per_minute=1000),
    )
    there = f"http://127.0.0.1:{theirs}"
    services.wechat = account(kind, api_url=there, login_url=there)
    simulator = Simulator(services.wechat, callback=f"http://127.0.0.1:{mine}/wechat")
    app = create_app(services, rasa_transport=FakeRasa().transport)
    async with simulator.serve(theirs), listening(app, mine):
        yield Site(simulator, services, f"http://127.0.0.1:{mine}")


def run(engine, scenario, **options):
    async def inside():
        async with site(engine, **options) as one:
            await scenario(one)

    asyncio.run(inside())


async def back_from_wechat(browser):
    """The address to which WeChat sends the browser that has just begun."""
    begun = await browser.get("/wechat/my")
    return (await browser.get(begun.headers["Location"])).headers["Location"]


def test_from_the_menu_to_ones_own_petitions_and_no_others(engine, caplog):
    async def scenario(one):
        mine, theirs = one.follow(A), one.follow(B, "form-2", "白花社区的树倒了")
        with one.services.sessions() as session:
            begin_writing(session)
            petition = session.merge(mine)
            step(session, petition, "accept", person("handler", STATION))
            step(session, petition, "reply", person("handler", STATION), answer=ANSWER)
            session.commit()
        async with one.browser(A) as browser:
            page = await browser.get("/wechat/my", follow_redirects=True)
            assert (page.status_code, page.url.path, page.url.query) == (200, "/wechat/my", b"")
            for words in (mine.number, "路灯坏了", "已答复，等待您评价", "已受理", ANSWER):
                assert words in page.text
            assert theirs.number not in page.text
            assert "<script" not in page.text
            # No openid in any address, nor in what the browser keeps.
            addresses = [str(response.url) for response in page.history]
            assert len(addresses) == 3
            assert A not in "".join([*addresses, *browser.cookies.values(), page.text])
            assert (await browser.get("/wechat/my")).status_code == 200
        async with one.browser(B) as browser:
            page = await browser.get("/wechat/my", follow_redirects=True)
            assert theirs.number in page.text
            assert mine.number not in page.text

    with caplog.at_level(logging.INFO, "channels"):
        run(engine, scenario)
    assert A not in caplog.text


def test_who_joined_another_sees_how_far_that_one_is(engine):
    async def scenario(one):
        whole, joined = one.follow(B), one.follow(A, "form-2")
        with one.services.sessions() as session:
            begin_writing(session)
            step(session, session.merge(joined), "join", into=whole.number)
            petition = session.merge(whole)
            step(session, petition, "accept", person("handler", STATION))
            step(session, petition, "reply", person("handler", STATION), answer=ANSWER)
            session.commit()
        async with one.browser(A) as browser:
            page = (await browser.get("/wechat/my", follow_redirects=True)).text
            assert (joined.number in page, whole.number in page) == (True, False)
            assert say("my.joined") in page
            assert ANSWER in page

    run(engine, scenario)


def test_a_developer_opens_the_page_as_the_simulated_resident(engine):
    async def scenario(one):
        number, lines, typed = one.follow(A).number, [], iter([":my\n", ":quit\n"])
        await Console(one.simulator, A, lines.append).run(lambda: next(typed))
        async with httpx.AsyncClient(trust_env=False) as browser:
            assert number in (await browser.get(lines[-1], follow_redirects=True)).text

    run(engine, scenario)


def test_outside_wechat_both_ways_are_shown_and_nobody_is_sent_away(engine):
    async def scenario(one):
        async with one.browser(A, **{"User-Agent": "Mozilla/5.0 Chrome"}) as browser:
            page = await browser.get("/wechat/my")
            assert page.status_code == 200
            assert 'href="/my"' in page.text
            one.follow(A)
            page = await browser.get("/wechat/my/login", follow_redirects=True)
            assert page.url.path == "/wechat/my"
            assert "路灯坏了" in page.text

    run(engine, scenario)


def test_an_attempt_is_good_once_and_only_in_the_browser_that_began_it(engine):
    async def scenario(one):
        number = one.follow(A).number
        async with one.browser(A) as mine, one.browser(A) as foreign, one.browser(A) as third:
            back = await back_from_wechat(mine)
            # Somebody else's address, opened by a person who has begun nothing, or something of their own.
            refused = await foreign.get(back)
            assert (refused.status_code, say("wechat.my.failed") in refused.text) == (400, True)
            await foreign.get("/wechat/my")
            assert (await foreign.get(back)).status_code == 400
            kept = dict(mine.cookies)
            assert (await mine.get(back)).status_code == 303
            # The same again: known in the browser that has been told, refused where only the attempt was copied.
            assert (await mine.get(back)).headers["Location"] == "/wechat/my"
            third.cookies.update(kept)
            assert (await third.get(back)).status_code == 400
            assert number in (await mine.get("/wechat/my")).text
            assert number not in (await third.get("/wechat/my", follow_redirects=False)).text

    run(engine, scenario)


@pytest.mark.parametrize("change", ["state", "code", "cookie"])
def test_what_was_changed_on_the_way_is_refused(engine, change):
    async def scenario(one):
        one.follow(A)
        async with one.browser(A) as browser:
            back = await back_from_wechat(browser)
            query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
            if change == "cookie":
                browser.cookies.set("wechat_attempt", "forged", domain="127.0.0.1", path="/")
            else:
                query[change] = "0" * len(query[change])
            refused = await browser.get("/wechat/my/enter", params=query)
            assert refused.status_code == 400
            assert "wechat_login" not in browser.cookies

    run(engine, scenario)


@pytest.mark.parametrize("query", [{}, {"code": "x"}, {"state": "x"}, {"code": "x" * 500, "state": "错"}])
def test_an_address_without_an_attempt_is_refused(engine, query):
    async def scenario(one):
        async with one.browser(A) as browser:
            assert (await browser.get("/wechat/my/enter", params=query)).status_code == 400

    run(engine, scenario)


@pytest.mark.parametrize("fault", [Fault(code=40029), Fault(code=40163), Fault(status=502), Fault(code=-1)])
def test_when_wechat_does_not_say_who_it_is_the_resident_may_try_again(engine, fault):
    async def scenario(one):
        number = one.follow(A).number
        async with one.browser(A) as browser:
            back = await back_from_wechat(browser)
            one.simulator.token_faults.append(fault)
            refused = await browser.get(back)
            assert (refused.status_code, say("wechat.my.failed") in refused.text) == (400, True)
            assert number in (await browser.get("/wechat/my", follow_redirects=True)).text

    run(engine, scenario)


def test_an_old_attempt_and_an_old_login_are_good_no_more(engine, monkeypatch):
    async def scenario(one):
        one.follow(A)
        async with one.browser(A) as browser:
            back = await back_from_wechat(browser)
            real = time.time()
            monkeypatch.setattr("itsdangerous.timed.time.time", lambda: real + 3_700)
            assert (await browser.get(back)).status_code == 400
            await browser.get("/wechat/my", follow_redirects=True)
            assert (await browser.get("/wechat/my")).status_code == 200
            monkeypatch.setattr("itsdangerous.timed.time.time", lambda: real + 3 * 3_700)
            assert (await browser.get("/wechat/my")).status_code == 303

    run(engine, scenario)


def test_who_never_wrote_or_has_gone_sees_nothing(engine):
    async def scenario(one):
        number = one.follow(A).number
        async with one.browser("o-nobody") as browser:
            page = await browser.get("/wechat/my", follow_redirects=True)
            assert (page.status_code, say("wechat.my.none") in page.text) == (200, True)
        async with one.browser(A) as browser:
            assert number in (await browser.get("/wechat/my", follow_redirects=True)).text
            with one.services.sessions() as session:
                store.forget(session, store.Box(one.services.secret), A)
                session.commit()
            page = await browser.get("/wechat/my", follow_redirects=True)
            assert (say("wechat.my.none") in page.text, number in page.text) == (True, False)

    run(engine, scenario)


@pytest.mark.parametrize("kind", ["unverified", "subscription"])
def test_accounts_that_are_told_nothing_lead_to_the_page_by_code(engine, kind):
    async def scenario(one):
        async with one.browser(A) as browser:
            for path in ("/wechat/my", "/wechat/my/login"):
                sent = await browser.get(path)
                assert (sent.status_code, sent.headers["Location"]) == (303, "/my")
            assert (await browser.get("/wechat/my/enter", params={"code": "x", "state": "y"})).status_code == 400

    run(engine, scenario, kind=kind)


def test_used_attempts_are_forgotten_when_they_can_come_back_no_more(engine):
    async def scenario(one):
        one.follow(A)
        async with one.browser(A) as browser:
            await browser.get("/wechat/my", follow_redirects=True)

    run(engine, scenario)
    with Session(engine) as session:
        used_at = session.scalars(select(WeChatLogin.used_at)).one()
    with Session(engine) as session:
        assert purge_logins(session, now=used_at + timedelta(hours=1)) == 0
        assert purge_logins(session, now=used_at + timedelta(hours=3)) == 1
