"""Logging in through the office's own provider: OpenID Connect, code flow with PKCE, for accounts that are there."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from desk.accounts import Staff, find_staff
from desk.errors import DeskError
from desk.services import Services

logger = logging.getLogger(__name__)

# How long somebody may take at the provider.
PENDING = timedelta(minutes=10)
TIMEOUT_SECONDS = 5.0
LEEWAY_SECONDS = 60
ALGORITHMS = ("RS256", "PS256", "ES256")


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that was begun: what must come back, what proves that it is ours, and where it goes on to."""

    state: str
    nonce: str
    verifier: str
    then: str
    at: str


class OpenId:
    """The provider that the settings name.

    Args:
        services: The desk's.
        transport: Another way to the provider than the network; for tests.
    """

    def __init__(self, services: Services, transport: httpx.BaseTransport | None = None) -> None:
        self._services = services
        self._transport = transport

    def begin(self, back: str, then: str) -> tuple[str, str]:
        """The address of the provider, and a sealed note of what was begun for the browser to keep.

        Args:
            back: Address to which the provider sends the browser.
            then: Path of the desk to go on to.

        Raises:
            DeskError: `oidc_down`.
        """
        now = self._services.clock()
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), then, str(now))
        query = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._services.settings.desk_oidc_client_id,
            "redirect_uri": back,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": create_s256_code_challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        with self._client() as client:
            address = str(self._provider(client)["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", self._sealed(begun)

    def finish(self, note: str, state: str, code: str, back: str) -> tuple[Staff, str]:
        """Who has logged in, and the path to go on to.

        Args:
            note: What `begin` gave the browser.
            state: As it came back.
            code: As it came back.
            back: As `begin` got it.

        Raises:
            DeskError: `oidc_refused` for whatever is not as it should be, `oidc_down`.
        """
        begun = self._opened(note)
        if begun is None or not code or not hmac.compare_digest(begun.state.encode(), state.encode()):
            raise _refused("state")
        with self._client() as client:
            provider = self._provider(client)
            claims = self._claims(client, provider, code, begun, back)
        value = claims.get(self._services.settings.desk_oidc_claim)
        with self._services.sessions() as session:
            member = find_staff(session, value) if isinstance(value, str) else None
        if member is None or member.disabled_at is not None:
            raise _refused("account")
        return member, begun.then

    def _claims(
        self, client: httpx.Client, provider: dict[str, Any], code: str, begun: Begun, back: str
    ) -> dict[str, Any]:
        """What the provider says of the person, once all of it is proven."""
        settings = self._services.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": begun.verifier,
            "client_id": settings.desk_oidc_client_id,
        }
        methods = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        by_post = "client_secret_basic" not in methods
        if by_post:
            form["client_secret"] = settings.desk_oidc_client_secret
        auth = None if by_post else (settings.desk_oidc_client_id, settings.desk_oidc_client_secret)
        token = _json(client.post, str(provider["token_endpoint"]), data=form, auth=auth)
        keys = _json(client.get, str(provider["jwks_uri"]))
        try:
            decoded = jwt.decode(
                str(token.get("id_token", "")),
                KeySet.import_key_set(keys),  # type: ignore[arg-type]
                algorithms=ALGORITHMS,
            )
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": settings.desk_oidc_issuer},
                    "aud": {"essential": True, "value": settings.desk_oidc_client_id},
                },
                params={
                    "nonce": begun.nonce,
                    "client_id": settings.desk_oidc_client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(self._services.clock().timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _refused("token") from error
        return dict(claims)

    def _provider(self, client: httpx.Client) -> dict[str, Any]:
        """What the provider says of itself."""
        issuer = self._services.settings.desk_oidc_issuer
        found = _json(client.get, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != issuer or not all(isinstance(found.get(name), str) for name in needed):
            raise _refused("issuer")
        return found

    def _client(self) -> httpx.Client:
        return httpx.Client(transport=self._transport, timeout=TIMEOUT_SECONDS, follow_redirects=False)

    def _sealed(self, begun: Begun) -> str:
        content = base64.urlsafe_b64encode(json.dumps(asdict(begun)).encode()).decode()
        return f"{content}.{self._signature(content)}"

    def _opened(self, note: str) -> Begun | None:
        content, _, signature = note.partition(".")
        if not hmac.compare_digest(self._signature(content).encode(), signature.encode()):
            return None
        begun = Begun(**json.loads(base64.urlsafe_b64decode(content)))
        is_over = self._services.clock() - datetime.fromisoformat(begun.at) > PENDING
        return None if is_over else begun

    def _signature(self, content: str) -> str:
        return hmac.digest(self._services.secret, f"oidc:{content}".encode(), "sha256").hex()


def _json(send: Any, address: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a method of httpx
    """What the provider answers.

    Raises:
        DeskError: `oidc_down`, it cannot be reached or does not answer; `oidc_refused`, it refuses.
    """
    try:
        answer: httpx.Response = send(address, **more)
        if answer.is_client_error:
            raise _refused("provider")
        found = answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        logger.error("oidc_down error=%s", type(error).__name__)
        raise DeskError("oidc_down") from error
    if not isinstance(found, dict):
        raise _refused("provider")
    return found


def _refused(reason: str) -> DeskError:
    logger.warning("oidc_refused reason=%s", reason)
    return DeskError("oidc_refused")
