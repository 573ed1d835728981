"""The WeChat account from settings and its file of secrets, and its commands."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.wechat.account import Account
from suqiutong.errors import CommandError
from suqiutong.settings import Settings, read_settings
from suqiutong.wiring import Services

wechat = typer.Typer(no_args_is_help=True)


class Secrets(BaseModel):
    """What is agreed with WeChat and nobody else may know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: str = Field(pattern=r"^[A-Za-z0-9]{3,32}$")
    aes_key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{43}$")
    previous_aes_key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{43}$")
    app_secret: str = ""


def read_account(settings: Settings) -> Account | None:
    """The account of the settings; None without one.

    Raises:
        CommandError: its file of secrets is missing, readable by others, or wrong; names the field, never its value.
    """
    if not settings.wechat_app_id:
        return None
    secrets = _read_secrets(settings.wechat_file)
    if settings.wechat_mode != "plain" and secrets.aes_key is None:
        raise CommandError(f"{settings.wechat_file}: SUQIUTONG_WECHAT_MODE={settings.wechat_mode} needs aes_key")
    if settings.wechat_kind != "unverified" and not secrets.app_secret:
        raise CommandError(f"{settings.wechat_file}: SUQIUTONG_WECHAT_KIND={settings.wechat_kind} needs app_secret")
    return Account(
        app_id=settings.wechat_app_id,
        token=secrets.token,
        aes_keys=tuple(key for key in (secrets.aes_key, secrets.previous_aes_key) if key),
        mode=settings.wechat_mode,
        kind=settings.wechat_kind,
        secret=secrets.app_secret,
        api_url=settings.wechat_api_url,
        login_url=settings.wechat_login_url,
        notice=settings.wechat_notice,
        notice_is_subscription=settings.wechat_notice_kind == "subscription",
        notice_fields={"number": settings.wechat_notice_number, "state": settings.wechat_notice_state},
    )


def _read_secrets(path: Path) -> Secrets:
    try:
        if path.stat().st_mode & 0o077:
            raise CommandError(f"{path} can be read by others: chmod 600 it, and change what is in it if they did")
        return Secrets.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise CommandError(f"{path} is missing: docs/wechat.md says what belongs into it") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CommandError(f"{path}: {where or 'not JSON'}: {first['type']}") from error


@wechat.command("menu")
def menu(
    is_shown: Annotated[bool, typer.Option("--show", help="Only show what would be sent.")] = False,
) -> None:
    """Put the menu of channels/wechat/menu.yml below the account's conversations."""
    from channels.wechat.client import WeChatError
    from channels.wechat.rules import menu_json, own_menu

    services = Services(read_settings())
    made = menu_json(own_menu(), services.settings.public_url)
    if is_shown:
        typer.echo(json.dumps(made, ensure_ascii=False, indent=2))
        return
    try:
        asyncio.run(_send_menu(services, _account(services), made))
    except WeChatError as error:
        raise CommandError(f"WeChat refused the menu: {error.code}") from error
    typer.echo("menu sent; clients show it within five minutes", err=True)


@wechat.command("simulate")
def simulate(
    port: Annotated[int, typer.Option("--port", help="Port of the simulated interfaces, on 127.0.0.1.")] = 8090,
    url: Annotated[str, typer.Option("--url", help="Address of the product; by default the one of the settings.")] = "",
    openid: Annotated[str, typer.Option("--openid", help="As whom to speak.")] = "o-simulated-resident",
) -> None:
    """Speak to the running product as a resident on WeChat, every exchange drawn; `:help` lists what can go wrong.

    The product must have been started with SUQIUTONG_WECHAT_API_URL set to this simulator.
    """
    services = Services(read_settings())
    account = _account(services)
    asyncio.run(_simulate(account, port=port, callback=(url or services.settings.web_url) + "/wechat", openid=openid))


async def _simulate(account: Account, *, port: int, callback: str, openid: str) -> None:
    from channels.wechat.simulator import Console, Simulator

    simulator = Simulator(account, callback=callback, draw=typer.echo)
    async with simulator.serve(port):
        await Console(simulator, openid, typer.echo).run(sys.stdin.readline)


async def _send_menu(services: Services, account: Account, made: Mapping[str, Any]) -> None:
    from channels.wechat.client import make_http
    from channels.wechat.route import make_client

    async with make_http(account.api_url) as http:
        await make_client(services, account, http).create_menu(made)


def _account(services: Services) -> Account:
    if services.wechat is None:
        raise CommandError("no WeChat account: set SUQIUTONG_WECHAT_APP_ID (docs/wechat.md)")
    return services.wechat
