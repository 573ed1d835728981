"""Logging in through a provider: only with what was begun here, only for accounts that are there."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.accounts import Role, Staff, disable_staff, reset_password
from desk.app import create_app
from desk.entry import COOKIE
from storage import begin_writing
from tests.integration.cases import HALL, NOW, STATION
from tests.unit.desk.fakes import PASSWORD, Browser, desk_on

ISSUER = "https://login.test/realms/office"
CLIENT = "desk"


class Provider:
    """A small provider: gives codes out and takes each back once, with the verifier of its challenge."""

    def __init__(self, services):
        self.services = services
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.codes = {}
        self.claims = {}
        self.signed_by = self.key
        self.issuer = ISSUER
        self.is_down = False

    def log_in(self, address):
        """What somebody does at the provider; the address to which it sends them back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["client_id"], asked["response_type"], asked["scope"]) == (CLIENT, "code", "openid profile")
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"/login/oidc/back?code={code}&state={asked['state']}"

    def answer(self, request):
        if self.is_down:
            raise httpx.ConnectError("no route", request=request)
        path = request.url.path
        if path.endswith("/openid-configuration"):
            places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            ends = ("auth?tenant=1", "token", "keys")
            return httpx.Response(
                200,
                json={"issuer": self.issuer}
                | {place: f"{ISSUER}/{end}" for place, end in zip(places, ends, strict=True)},
            )
        if path.endswith("/keys"):
            return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        asked = self.codes.pop(form["code"], None)
        is_right = (
            asked is not None
            and request.headers["Authorization"] == httpx.BasicAuth(CLIENT, "a secret")._auth_header
            and create_s256_code_challenge(form["code_verifier"]) == asked["code_challenge"]
            and form["redirect_uri"] == asked["redirect_uri"] == "http://desk.test/login/oidc/back"
        )
        if not is_right:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(self.services.now.timestamp())
        claims = {
            "iss": ISSUER,
            "sub": "u1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "张三",
        } | self.claims
        signed = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signed_by)
        return httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "id_token": signed})


@pytest.fixture
def services(engine):
    services = desk_on(engine)
    services.settings = replace(
        services.settings,
        desk_oidc_issuer=ISSUER,
        desk_oidc_client_id=CLIENT,
        desk_oidc_client_secret="a secret",
    )
    services.add("张三", Role.OPERATOR, STATION)
    services.add("王管理", Role.ADMIN, HALL)
    return services


@pytest.fixture
def provider(services):
    return Provider(services)


@pytest.fixture
def browser(services, provider):
    application = create_app(services, httpx.MockTransport(provider.answer))
    return lambda: Browser(application)


def begin(client, path="/login/oidc?next=/tickets%3Fstate%3Dopen"):
    answer = client.get(path)
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_who_has_an_account_gets_in_by_the_provider(provider, browser, services):
    client = browser()
    assert 'href="/login/oidc?next=/tickets"' in client.get("/login?next=/tickets").text
    address = begin(client)
    assert address.startswith(f"{ISSUER}/auth?tenant=1&")
    back = client.get(provider.log_in(address))
    assert (back.status_code, back.headers["Location"]) == (303, "/tickets?state=open")
    assert client.get("/tickets").status_code == 200
    # An initial password is nothing to those who need none.
    with Session(services.sessions.kw["bind"]) as session:
        begin_writing(session)
        reset_password(session, "张三")
        session.commit()
    assert client.get("/tickets").status_code == 200


def test_an_answer_counts_once_and_only_in_the_browser_that_began(provider, browser):
    victim, thief = browser(), browser()
    back = provider.log_in(begin(thief))
    assert victim.get(back).status_code == 401, "a login that somebody else began"
    begin(victim)
    assert victim.get(back).status_code == 401, "nor in place of one's own"
    assert COOKIE not in victim.cookies
    assert thief.get(back).status_code == 303
    assert thief.get(back).status_code == 401, "a second time"


def test_an_answer_comes_in_time_or_not_at_all(provider, browser, services):
    client = browser()
    back = provider.log_in(begin(client))
    services.pass_time(minutes=11)
    assert client.get(back).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.test"},
        {"aud": "another client"},
        {"exp": 1},
        {"azp": "another client"},
        {"preferred_username": "没有这个人"},
        {"preferred_username": ["张三"]},
        {"preferred_username": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_login_opens_nothing(provider, browser, services, claims):
    client = browser()
    provider.claims = claims
    refused = client.get(provider.log_in(begin(client)))
    assert (refused.status_code, COOKIE in client.cookies) == (401, False)
    assert "统一登录没有成功" in refused.text
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Staff)) == 2, "it never makes an account"


def test_a_foreign_signature_or_issuer_opens_nothing(provider, browser):
    client = browser()
    provider.signed_by = RSAKey.generate_key(2048, {"kid": "k1"})
    assert client.get(provider.log_in(begin(client))).status_code == 401
    provider.issuer = "https://evil.test"
    assert client.get("/login/oidc").status_code == 401


def test_a_disabled_account_stays_out_and_a_lost_provider_is_said(provider, browser, services):
    client = browser()
    back = provider.log_in(begin(client))
    with services.sessions() as session:
        begin_writing(session)
        disable_staff(session, "张三", now=NOW)
        session.commit()
    assert client.get(back).status_code == 401
    provider.is_down = True
    lost = client.get("/login/oidc")
    assert (lost.status_code, "暂时连不上" in lost.text) == (503, True)


def test_a_fixed_session_ends_and_a_forged_note_is_worth_nothing(provider, browser, services):
    thief, client = browser(), browser()
    thief.cookies.set(COOKIE, services.cookie("张三"), domain="desk.test")
    fixed = thief.cookies[COOKIE]
    client.cookies.set(COOKIE, fixed, domain="desk.test")
    assert client.get(provider.log_in(begin(client))).status_code == 303
    assert client.cookies[COOKIE] != fixed
    assert thief.get("/tickets").status_code == 303
    forged = browser()
    back = provider.log_in(begin(forged))
    for note in ("", "x", "e30=.0", forged.cookies["desk_login"][:-1] + "0"):
        other = browser()
        other.cookies.set("desk_login", note, domain="desk.test")
        assert other.get(back).status_code == 401


def test_a_password_is_for_administrators_while_there_is_a_provider(browser, services):
    login = {"name": "张三", "password": PASSWORD}
    refused = browser().post("/login", data=login)
    assert (refused.status_code, "请用统一登录" in refused.text) == (403, True)
    assert "请用统一登录" not in browser().post("/login", data=login | {"password": "错的密码不对啊"}).text
    assert browser().post("/login", data=login | {"name": "王管理"}).status_code == 303
    services.settings = replace(services.settings, desk_oidc_issuer="")
    assert browser().post("/login", data=login).status_code == 303
    assert browser().get("/login/oidc").status_code == 404
