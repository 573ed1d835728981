"""The only way to Rasa: a client with time-outs, and a check of everything that comes back."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client import Histogram

from channels.sanitise import neutralise
from channels.texts import say
from telemetry.logs import request_id

logger = logging.getLogger(__name__)

DANGER_KINDS = frozenset({"emergency", "crisis"})
KINDS = frozenset(
    {
        *("answer", "no_answer", "clarify", "refusal", "smalltalk", "notice"),
        *("prompt", "confirm", "ticket", "ticket_status"),
        "handoff",
        *DANGER_KINDS,
    }
)
# The lists of a message, and what each of their entries must have to be shown.
LISTS = {
    "citations": frozenset({"document", "section", "quote"}),
    "facts": frozenset({"indicator", "value", "unit", "period", "status"}),
    "buttons": frozenset({"title", "text"}),
}
WARM_UP_SENDER = "warm-up"
REPLY_LIMIT_BYTES = 2_000_000
# By it a proxy sends a conversation to the same one of several Rasas (`ops/nginx/several.conf`).
PINNED_BY = "X-Conversation"


class RasaError(Exception):
    """Rasa gave no usable answer."""

    def __init__(self, reason: str, *, retryable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Understood:
    """What Rasa made of a message.

    Attributes:
        intent: Its intent; None when Rasa did not say.
        confidence: How sure Rasa was, 0 to 1.
        chance: The knowledge base's chance that its answer is the right one, 0 to 1; None when it was not asked.
    """

    intent: str | None = None
    confidence: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the assistant replied, and what it had understood."""

    messages: list[dict[str, Any]]
    understood: Understood = Understood()


def understood_of(items: Sequence[object]) -> Understood:
    """What the items of a reply tell of the message that they answer; nothing where they are of no known shape."""
    rows = [item for item in items if isinstance(item, Mapping)]
    told: Mapping[str, object] = next(
        (row["understood"] for row in rows if isinstance(row.get("understood"), Mapping)), {}
    )
    intent, confidence = told.get("intent"), _share(told.get("confidence"))
    customs = [row["custom"] for row in rows if isinstance(row.get("custom"), Mapping)]
    chance = next((share for custom in customs if (share := _share(custom.get("chance"))) is not None), None)
    return Understood(intent[:60] if isinstance(intent, str) else None, confidence, chance)


def _share(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def command(intent: str, **entities: str) -> str:
    """An internal command in Rasa's own syntax; only this module makes one.

    Args:
        intent: Name of an intent.
        entities: Values of any content: JSON keeps line breaks and braces apart from the syntax around them.
    """
    return f"/{intent}{json.dumps(entities, ensure_ascii=False)}"


def contract_message(item: object) -> dict[str, Any] | None:
    """One item of Rasa's reply as a contract message with all its lists; None when it is of no known shape."""
    custom = item.get("custom") if isinstance(item, Mapping) else None
    if not isinstance(custom, Mapping):
        return None
    kind, text = custom.get("kind"), custom.get("text")
    if not (isinstance(kind, str) and kind in KINDS and isinstance(text, str) and text.strip()):
        return None
    # The chance is for reviewers, not for residents.
    message = {name: value for name, value in custom.items() if name != "chance"}
    for name, fields in LISTS.items():
        values = message.get(name)
        message[name] = [value for value in values if _has(value, fields)] if isinstance(values, list) else []
    if not isinstance(message.get("ticket"), Mapping):
        message.pop("ticket", None)
    return message


def _has(value: object, fields: frozenset[str]) -> bool:
    return isinstance(value, Mapping) and fields <= {name for name, content in value.items() if content is not None}


def contract_messages(items: Sequence[object], sender: str) -> list[dict[str, Any]]:
    """All items of a reply as contract messages; those of unknown shape become one notice.

    Raises:
        RasaError: the reply is empty: Rasa answers so when an action failed.
    """
    messages = [contract_message(item) for item in items if not (isinstance(item, Mapping) and "understood" in item)]
    known = [message for message in messages if message is not None]
    if len(known) < len(messages):
        logger.error("unknown_reply_shape conversation=%s items=%d", sender, len(messages) - len(known))
        known.append(notice("notices.unknown_reply"))
    if not known:
        raise RasaError("empty_reply", retryable=True)
    dangers = [message for message in known if message["kind"] in DANGER_KINDS]
    if dangers:
        # Danger comes before anything else, and nobody in danger is asked for the next field of a form.
        return dangers + [message for message in known if message["kind"] not in {*DANGER_KINDS, "prompt"}]
    return known


def notice(key: str, **fields: object) -> dict[str, Any]:
    """A notice of our own."""
    return {"kind": "notice", "text": say(key, **fields), "citations": [], "facts": [], "buttons": []}


class RasaClient:
    """Sends messages to Rasa's REST channel and knows whether it answers.

    A few at once, the others in the order in which they came: if all of them shared the processors, each would be
    finished late, and a long one far later than the others.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, timeout_seconds: float, at_once: int, seconds: Histogram | None = None
    ) -> None:
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._places = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self.why_not_ready: str | None = "starting"

    async def say(self, sender: str, text: str) -> Said:
        """What the assistant replies to typed text, which is made harmless first.

        Raises:
            RasaError: no usable answer.
        """
        items = await self._post(sender, neutralise(text))
        return Said(contract_messages(items, sender), understood_of(items))

    async def tell(self, sender: str, internal_command: str) -> None:
        """Let Rasa know something; its reply is dropped.

        Raises:
            RasaError: no answer.
        """
        await self._post(sender, internal_command)

    async def keep_ready(self, pause_seconds: float = 2.0) -> None:
        """Warm up until answered, and again after each failure; runs until cancelled."""
        while True:
            if self.why_not_ready is not None:
                try:
                    if await self._post(WARM_UP_SENDER, say("warm_up")):
                        self.why_not_ready = None
                        logger.info("understanding_ready")
                except RasaError as error:
                    logger.info("understanding_not_ready reason=%s", error.reason)
            await asyncio.sleep(pause_seconds)

    async def _post(self, sender: str, message: str) -> list[object]:
        started = time.perf_counter()
        try:
            return await self._exchange(sender, message)
        except RasaError as error:
            if error.retryable and self.why_not_ready is None:
                self.why_not_ready = error.reason
            raise
        finally:
            if self._seconds:
                self._seconds.observe(time.perf_counter() - started)

    async def _exchange(self, sender: str, message: str) -> list[object]:
        # The action server reads the id in the message that it is called for.
        body = {"sender": sender, "message": message, "metadata": {"channel": "web", "request": request_id()}}
        try:
            # The client's own time-outs bound each read, not a reply that drips: this one bounds the whole.
            async with asyncio.timeout(self._timeout_seconds), self._places:
                response = await self._http.post("/webhooks/rest/webhook", json=body, headers={PINNED_BY: sender})
        except (TimeoutError, httpx.TimeoutException) as error:
            raise RasaError("timeout", retryable=True) from error
        except httpx.HTTPError as error:
            raise RasaError("unreachable", retryable=True) from error
        if response.status_code != httpx.codes.OK:
            raise RasaError(f"status_{response.status_code}", retryable=response.is_server_error)
        if len(response.content) > REPLY_LIMIT_BYTES:
            raise RasaError("reply_too_large", retryable=False)
        try:
            items = response.json()
        except ValueError as error:
            raise RasaError("not_json", retryable=True) from error
        if not isinstance(items, list):
            raise RasaError("not_a_list", retryable=True)
        return items
