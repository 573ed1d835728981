"""The action server: Rasa asks on the loopback address, the actions answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor, CollectingDispatcher
from sanic import HTTPResponse, Request, Sanic, json
from sanic.response import BaseHTTPResponse

from actions import answering, danger, petition, ticket
from actions.base import Event, ServiceAction, Services
from telemetry.logs import in_request, trace_of
from telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

ACTIONS: tuple[type[ServiceAction], ...] = (
    answering.Answer,
    answering.Explain,
    answering.Repeat,
    danger.Crisis,
    danger.Emergency,
    petition.AskApart,
    petition.AskConfirmed,
    petition.AskContact,
    petition.AskLegalSeen,
    petition.AskMatter,
    petition.AskOccurred,
    petition.AskPlace,
    petition.CancelPetition,
    petition.ReadPetition,
    petition.SubmitPetition,
    ticket.AskCode,
    ticket.AskNumber,
    ticket.ReadReference,
    ticket.ShowTicket,
)


def make_executor(services: Services, metrics: Metrics) -> ActionExecutor:
    """All actions, joined to their services."""
    executor = ActionExecutor()
    for action in ACTIONS:
        executor.register_function(action.called, _watched(action(services), metrics))
    return executor


class ActionFailedError(Exception):
    """An action failed, as its log line tells."""


def _watched(action: ServiceAction, metrics: Metrics) -> Callable[..., Awaitable[list[Event]]]:
    """The action, timed, its log lines with the id of the request that the resident's message came in."""

    async def run(dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
        metadata = tracker.latest_message.get("metadata") or {}
        with in_request(metadata.get("request")), metrics.stage("action"):
            started = time.perf_counter()
            try:
                events = await action.run(dispatcher, tracker, domain)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text stays here
                logger.error("action_failed action=%s trace=%s", action.called, trace_of(error))
                raise ActionFailedError from None
            milliseconds = (time.perf_counter() - started) * 1000
            logger.info("action action=%s milliseconds=%d", action.called, milliseconds)
            return events

    return run


def make_app(services: Services, metrics: Metrics) -> Sanic[Any, Any]:
    """The application that Rasa calls."""
    app: Sanic[Any, Any] = create_app(make_executor(services, metrics), cors_origins=[])

    async def say_no_more(_request: Request, response: BaseHTTPResponse) -> HTTPResponse | None:
        return json({"error": "action_failed"}, status=500) if response.status == 500 else None

    # The library sends the text of an error and the whole conversation back, and Rasa would log both.
    app.register_middleware(say_no_more, "response")
    return app


def serve(services: Services, port: int, metrics: Metrics) -> None:
    """Serve on 127.0.0.1 until told to stop."""
    app = make_app(services, metrics)
    # One process: the services, their models among them, are loaded once and shared.
    app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)
