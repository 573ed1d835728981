"""我的诉求 as WeChat's browser shows it: on a phone, with and without scripts."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy.orm import sessionmaker

from channels.wechat import store
from channels.wechat.login import Logins
from channels.wechat.mine import COOKIE
from channels.wechat.rules import own_rules
from storage import Base
from suqiutong.database import make_engine
from tests.browser.conftest import serve
from tests.integration.cases import file_case
from tests.integration.wechat import account
from tests.unit.channels.fakes import FakeRasa, FakeServices

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'site.db'}")
    Base.metadata.create_all(engine)
    services = FakeServices(sessions=sessionmaker(engine), wechat=account("service"))
    with services.sessions() as session:
        arrival = store.arrive(
            session, store.Box(services.secret), key="k", openid="o-1", kind="text", payload={"say": "x"},
            allowance=own_rules().written, is_written=True, now=services.clock(),
        )  # fmt: skip
        petition = file_case(session)
        petition.conversation = arrival.conversation
        session.commit()
        services.number, services.conversation = petition.number, arrival.conversation
    with serve(services, FakeRasa()) as site:
        yield site
    engine.dispose()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_ones_own_petitions_fit_a_phone(open_page, site, has_scripts):
    page = open_page("/wechat/my", java_script_enabled=has_scripts, viewport={"width": 360, "height": 740})
    expect(page.get_by_role("link", name="用微信查看")).to_be_visible()
    login = Logins(site.services.secret).sign(site.services.conversation)
    page.context.add_cookies([{"name": COOKIE, "value": login, "url": site.address}])
    page.reload()
    card = page.get_by_role("article")
    expect(card).to_contain_text(site.services.number)
    card.get_by_text("办理经过").click()
    expect(card.get_by_role("listitem")).to_have_text(["2026年3月2日 10:00 已收到，等待受理"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="大字").click()
    assert page.url == f"{site.address}/wechat/my"
    if has_scripts:
        assert Axe().run(page).response["violations"] == []
