"""Every setting in one typed table, read from the environment and `.env`; secrets are made here at the first start."""

from __future__ import annotations

import json
import os
import re
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from suqiutong.errors import CommandError

ROOT = Path(__file__).resolve().parent.parent

SECRETS = "secrets.json"
HIDDEN = "***"
# Between the colon and the last @ of an address.
_PASSWORD = re.compile(r"(?<=://)(?P<name>[^:/@]*:)[^/]*(?=@)")
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound

Port = Annotated[int, Field(ge=1, le=65535)]
MaybePort = Annotated[int, Field(ge=0, le=65535)]
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.*-]+(:\d{1,5})?")


def check_origins(text: str) -> str:
    """Origins separated by spaces, as they are.

    Raises:
        ValueError: one of them is no scheme and host.
    """
    if any(not _ORIGIN.fullmatch(origin) for origin in text.split()):
        raise ValueError("must be origins such as https://www.example.gov.cn, separated by spaces")
    return text


def check_networks(text: str) -> str:
    """Networks separated by commas, as they are.

    Raises:
        ValueError: one of them is no network.
    """
    for part in filter(None, map(str.strip, text.split(","))):
        ip_network(part)
    return text


def check_redis(address: str) -> str:
    """An address of Redis, or none, as it is.

    Raises:
        ValueError: it is neither.
    """
    if address and not address.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must be an address such as redis://10.0.0.3:6379/0")
    return address


class Settings(BaseSettings):
    """What can be set. Relative paths start at the checkout."""

    model_config = SettingsConfigDict(
        env_prefix="SUQIUTONG_", env_file=ROOT / ".env", env_file_encoding="utf-8", frozen=True
    )

    host: str = Field(
        default="127.0.0.1", description="Address on which the web process listens; 0.0.0.0 opens it to the network."
    )
    web_port: Port = Field(default=8000, description="Port of the web process.")
    rasa_port: Port = Field(default=5005, description="Port of Rasa, on 127.0.0.1 only.")
    actions_port: Port = Field(default=5055, description="Port of the action server, on 127.0.0.1 only.")
    desk_host: str = Field(
        default="127.0.0.1",
        description="Address on which the desk listens; give it one that only the office's network reaches.",
    )
    desk_port: Port = Field(default=8010, description="Port of the desk.")
    desk_behind_proxy: bool = Field(
        default=False,
        description="Whether a proxy with HTTPS stands before the desk, whose word about addresses is taken.",
    )
    desk_idle_minutes: int = Field(default=30, gt=0, description="After how many minutes without use a login ends.")
    desk_session_hours: int = Field(default=12, gt=0, description="How long a login at the desk lasts at most.")
    desk_second_factor: str = Field(
        default="admin,supervisor",
        description="Roles that must set up a second factor (six digits of a phone), separated by commas; "
        "the others may.",
    )
    desk_oidc_issuer: str = Field(
        default="",
        description="Issuer of the OpenID Connect provider through which staff log in, as it names itself; empty: by "
        "password. With one, only administrators may still use a password.",
    )
    desk_oidc_client_id: str = Field(default="", description="What that provider calls the desk.")
    desk_oidc_client_secret: str = Field(default="", description="The secret that it gave the desk.")
    desk_oidc_claim: str = Field(
        default="preferred_username", description="The claim of that provider that is the name of an account here."
    )
    public_url: str = Field(
        default="",
        description="Address that residents use when a proxy stands before the web process, without a closing slash.",
    )
    desk_metrics_port: MaybePort = Field(
        default=0, description="Port on 127.0.0.1 where the counts of the desk can be read; 0: none."
    )
    actions_metrics_port: MaybePort = Field(
        default=0, description="Port on 127.0.0.1 where the counts of the action server can be read; 0: none."
    )
    worker_metrics_port: MaybePort = Field(
        default=0, description="Port on 127.0.0.1 where the counts of the worker can be read; 0: none."
    )
    data: Path = Field(
        default=Path("var"),
        description="Folder of all that is made while running: database, knowledge, model, logs, secrets.",
    )
    database_url: str = Field(
        default="", description="SQLAlchemy address of the database; empty: `suqiutong.db` (SQLite) in the data folder."
    )
    knowledge: Path | None = Field(
        default=None, description="Folder of the built knowledge base; empty: `knowledge` in the data folder."
    )
    models: Path | None = Field(
        default=None, description="Folder of the trained model; empty: `models` in the data folder."
    )
    keys: Path | None = Field(
        default=None,
        description="File of the keys that seal personal data; empty: `keys.json` in the data folder. "
        "Keep it on another disk than the database, and in no backup of it.",
    )
    backups: Path | None = Field(
        default=None,
        description="Folder of the nightly backups, whose age `suqiutong doctor` checks; empty: nobody does.",
    )
    notify_url: str = Field(
        default="",
        description="Address that takes every message to residents and units as JSON, with an `Idempotency-Key`; "
        "empty: they stay in the inboxes of the product.",
    )
    queue_url: Annotated[str, AfterValidator(check_redis)] = Field(
        default="",
        description="Address of the Redis that several processes or machines share, for the worker's queue and for the "
        "limits of pace; empty: `queue.db` in the data folder, and each process counts by itself.",
    )
    base_pipeline: Literal["lac", "zh_core_web_sm"] = Field(
        default="lac",
        description="Source of words, tags and entities: `lac`, or `zh_core_web_sm` once spaCy's model is installed.",
    )
    rasa_timeout_seconds: float = Field(default=10.0, gt=0, description="Longest wait for one answer of Rasa.")
    rasa_at_once: int = Field(
        default=4,
        gt=0,
        description="Messages that one web process asks Rasa at once, about two a processor; the others wait in the "
        "order in which they came, so that a long one holds nobody up for long. With several of Rasa: 32.",
    )
    session_hours: int = Field(default=12, gt=0, description="How long a conversation lives after its last message.")
    late_answer_minutes: int = Field(
        default=60,
        gt=0,
        description="A message that could not be answered for so long is not answered any more; the resident is asked "
        "to say it again.",
    )
    monitor_token: str = Field(
        default="",
        description="Token with which `/metrics` and the details of `/readyz` are read (`Authorization: Bearer`); "
        "empty: from this machine and from private addresses. This machine never needs it.",
    )
    messages_per_minute: int = Field(
        default=60, gt=0, description="Messages that one conversation may send in a minute."
    )
    address_messages_per_minute: int = Field(
        default=3000,
        gt=0,
        description="Messages that one network address may send in a minute; everybody in a service hall shares one.",
    )
    messages_at_once: int = Field(
        default=64,
        gt=0,
        description="Messages that one web process answers at once; whoever writes meanwhile is told to wait and is "
        "answered a little later.",
    )
    lookups_per_minute: int = Field(
        default=30,
        gt=0,
        description="Look-ups of a petition by number and query code that one network address may make in a minute.",
    )
    embed_origins: Annotated[str, AfterValidator(check_origins)] = Field(
        default="",
        description="Sites that may show the resident's page in a frame, such as `https://www.example.gov.cn`, "
        "separated by spaces; empty: none. With one, the page's cookie needs HTTPS.",
    )
    kiosk_addresses: Annotated[str, AfterValidator(check_networks)] = Field(
        default="",
        description="Networks of devices that residents use one after another, such as `10.1.2.0/28`, separated by "
        "commas: their page forgets by itself.",
    )
    kiosk_idle_minutes: int = Field(
        default=3, gt=0, description="After how many minutes without use the page of such a device is cleared."
    )
    wechat_app_id: str = Field(default="", description="AppID of the WeChat Official Account; empty: no WeChat.")
    wechat_kind: Literal["unverified", "subscription", "service"] = Field(
        default="unverified",
        description="The account: `unverified` may only reply to messages, a verified `subscription` account may also "
        "send, a verified `service` account may also send notices at any time.",
    )
    wechat_mode: Literal["safe", "compatible", "plain"] = Field(
        default="safe",
        description="How WeChat is set to deliver: `safe` (安全模式), `compatible` (兼容模式), `plain` (明文模式).",
    )
    wechat_secrets: Path | None = Field(
        default=None,
        description="JSON file with `token`, `aes_key`, `previous_aes_key` (while keys change) and `app_secret`, "
        "readable by its owner alone; empty: `wechat.json` in the data folder.",
    )
    wechat_notice: str = Field(
        default="", description="Id of the template of notices (service account); empty: notices only within 48 hours."
    )
    wechat_notice_kind: Literal["template", "subscription"] = Field(
        default="template", description="Whether that is a 模板消息 or a 订阅通知, to which residents have to agree."
    )
    wechat_notice_number: str = Field(
        default="character_string1", description="Field of the template that takes the number of the ticket."
    )
    wechat_notice_state: str = Field(default="thing2", description="Field of the template that takes its state.")
    wechat_api_url: str = Field(
        default="https://api.weixin.qq.com", description="Address of WeChat's interfaces; the simulator has its own."
    )
    wechat_login_url: str = Field(
        default="https://open.weixin.qq.com",
        description="Address at which WeChat tells whose browser it is (service account); the simulator has its own.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that reaches the log files."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Log lines for people (`text`) or for programs (`json`, one object a line)."
    )

    @property
    def data_folder(self) -> Path:
        """Folder of all that is made while running, absolute."""
        return ROOT / self.data

    @property
    def knowledge_folder(self) -> Path:
        """Folder of the built knowledge base, absolute."""
        return ROOT / self.knowledge if self.knowledge else self.data_folder / "knowledge"

    @property
    def sources_folder(self) -> Path:
        """Folder of the documents that were added by command, absolute."""
        return self.data_folder / "sources"

    @property
    def models_folder(self) -> Path:
        """Folder of the trained model, absolute."""
        return ROOT / self.models if self.models else self.data_folder / "models"

    @property
    def keys_file(self) -> Path:
        """File of the keys that seal personal data, absolute."""
        return ROOT / self.keys if self.keys else self.data_folder / "keys.json"

    @property
    def backups_folder(self) -> Path | None:
        """Folder of the nightly backups, absolute; None when nobody said."""
        return ROOT / self.backups if self.backups else None

    @property
    def wechat_file(self) -> Path:
        """File of the secrets shared with WeChat, absolute."""
        return ROOT / self.wechat_secrets if self.wechat_secrets else self.data_folder / "wechat.json"

    @property
    def log_folder(self) -> Path:
        """Folder of the logs, absolute."""
        return self.data_folder / "log"

    @property
    def database(self) -> str:
        """SQLAlchemy address of the database."""
        return self.database_url or f"sqlite:///{self.data_folder / 'suqiutong.db'}"

    def instance(self, process: Literal["web", "rasa", "actions"], number: int) -> Settings:
        """The settings of one of several processes of a kind, which a proxy stands in front of on their usual port.

        Args:
            process: Its kind.
            number: 0 for the only one of its kind; the others listen so many ports above the usual one.
        """
        ports = (f"{process}_port", f"{process}_metrics_port")
        return self.model_copy(update={name: port + number for name in ports if (port := getattr(self, name, 0))})

    @property
    def rasa_url(self) -> str:
        """Base address of Rasa."""
        return f"http://127.0.0.1:{self.rasa_port}"

    @property
    def actions_url(self) -> str:
        """Address that Rasa calls for every action."""
        return f"http://127.0.0.1:{self.actions_port}/webhook"

    @property
    def web_url(self) -> str:
        """Address of the web process as seen from this machine."""
        return _seen_here(self.host, self.web_port)

    @property
    def desk_url(self) -> str:
        """Address of the desk as seen from this machine."""
        return _seen_here(self.desk_host, self.desk_port)


def _seen_here(host: str, port: int) -> str:
    return f"http://{'127.0.0.1' if host in ANY_ADDRESS else host}:{port}"


def read_settings() -> Settings:
    """The settings of this start.

    Raises:
        CommandError: a value is not allowed or a name is unknown; names the setting.
    """
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors()[0]
        name = "_".join(str(part) for part in problem["loc"]).upper()
        name = name if name.startswith("SUQIUTONG_") else f"SUQIUTONG_{name}"
        raise CommandError(f"setting {name}: {problem['msg']} (docs/settings.md lists all settings)") from error


def settings_table() -> str:
    """All settings as a Markdown table: variable, default, meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        rows.append(f"| `SUQIUTONG_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def shown_settings(settings: Settings) -> dict[str, str]:
    """The settings as they may be shown to whoever looks over a shoulder: secrets and passwords as stars."""
    shown = {name: "" if value is None else str(value) for name, value in settings.model_dump().items()}
    if shown["desk_oidc_client_secret"]:
        shown["desk_oidc_client_secret"] = HIDDEN
    return {name: _PASSWORD.sub(rf"\g<name>{HIDDEN}", value) for name, value in shown.items()}


def read_secret(folder: Path) -> bytes:
    """The key of every signature made here; made at the first start, readable by its owner alone.

    Raises:
        CommandError: others can read the file, or it holds no key.
    """
    path = folder / SECRETS
    if not path.exists():
        _make_secret(path)
    if path.stat().st_mode & 0o077:
        raise CommandError(f"{path} can be read by others: chmod 600 it, and replace it if they did")
    try:
        secret = bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{path} holds no key: restore it from a backup (query codes and sessions depend on it)"
        ) from error
    if len(secret) < 32:
        raise CommandError(f"the key in {path} is shorter than 32 bytes: restore it from a backup")
    return secret


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"secret": secrets.token_hex(32)}, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(half, path)
    except FileExistsError:
        pass  # another process was first: its key counts
    finally:
        half.unlink()
