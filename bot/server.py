"""Run Rasa for this product: on the loopback address, with its HTTP API closed."""

# ruff: noqa: PLC0415 - Rasa is imported after the environment that it reads is set
from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict

ROOT = Path(__file__).resolve().parent.parent

# All of these concern Rasa's own pinned parts, which nobody here can change.
os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
warnings.simplefilter("ignore")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the Rasa server of 诉求通 on 127.0.0.1, its HTTP API closed.")
    parser.add_argument("--model", type=Path, required=True, help="the trained model, a .tar.gz file")
    parser.add_argument("--port", type=int, default=5005, help="port on 127.0.0.1 (default %(default)s)")
    parser.add_argument("--actions", default="http://127.0.0.1:5055/webhook", help="the action server's webhook")
    return parser.parse_args()


class WordlessFormatter(logging.Formatter):
    """Writes of an exception where it happened and its type; the text of a failed action holds the conversation."""

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - as in the library
        """The stack of each exception of the chain, the last one first."""
        lines, error = ["Traceback (most recent call last):\n"], ei[1]
        while error is not None:
            lines += [*traceback.format_tb(error.__traceback__), f"{type(error).__module__}.{type(error).__name__}\n"]
            error = error.__cause__ or error.__context__
        return "".join(lines).rstrip("\n")


def keep_event_alone(_logger: Any, _method: str, told: Dict[str, Any]) -> Dict[str, Any]:  # noqa: ANN401
    """Of a structured entry its name, its level and the type of the error; the rest may be a resident's words."""
    kept = {name: told[name] for name in ("event", "level") if name in told}
    error = sys.exc_info()[0]
    return {**kept, "error": error.__name__} if error else kept


def log_without_words() -> None:
    """Log warnings and errors without what a resident said.

    Rasa writes the text of a message whose handling fails or is given up, the local variables of its tracebacks, and
    the whole tracker that a failed action returns.
    """
    import structlog
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.add_log_level,
            keep_event_alone,
            structlog.processors.JSONRenderer(),
        ]
    )
    for handler in logging.getLogger().handlers:
        handler.setFormatter(WordlessFormatter("%(message)s"))


def check_action_results_quickly() -> None:
    """Build the validator of action results once.

    Rasa checks the JSON schema itself on every result, which takes half of the time of a message.
    """
    from jsonschema import Draft202012Validator
    from rasa.core.actions.action import RemoteAction

    validator = Draft202012Validator(RemoteAction.action_response_format_spec())

    def validate(_action: RemoteAction, result: object) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate


def keep_connections_to_actions() -> None:
    """Call actions over connections that stay open: Rasa makes a new one for every action."""
    from rasa.utils.endpoints import EndpointConfig

    make_session, kept = EndpointConfig.session, {}

    @asynccontextmanager
    async def session(self: EndpointConfig) -> AsyncIterator[Any]:
        if self.url not in kept:
            kept[self.url] = make_session(self)
        yield kept[self.url]

    EndpointConfig.session = session


def look_for_classes_once() -> None:
    """Remember which kinds of events there are: Rasa goes through all of them for each event that it reads."""
    from rasa.shared.utils import common

    common.all_subclasses = lru_cache(maxsize=None)(common.all_subclasses)


def tell_what_was_understood() -> None:
    """Have each reply begin with the intent of the message that it answers, and how sure Rasa is of it.

    Rasa's REST channel gives away the replies alone, and its HTTP API, which knows the rest, stays closed.
    """
    from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
    from rasa.core.processor import MessageProcessor
    from rasa.shared.core.trackers import DialogueStateTracker

    log_message = MessageProcessor.log_message

    async def log_and_tell(
        self: MessageProcessor, message: UserMessage, should_save_tracker: bool = True
    ) -> DialogueStateTracker:
        tracker = await log_message(self, message, should_save_tracker)
        if isinstance(message.output_channel, CollectingOutputChannel) and tracker.latest_message:
            intent = tracker.latest_message.intent
            told = {"intent": intent.get("name"), "confidence": float(intent.get("confidence") or 0.0)}
            message.output_channel.messages.append({"recipient_id": message.sender_id, "understood": told})
        return tracker

    MessageProcessor.log_message = log_and_tell


def answer_only_what_is_kept() -> None:
    """Have a message fail, without a word, whose conversation cannot be read or kept.

    Rasa would begin the conversation anew, or keep it where no restart and no other Rasa finds it, and answer all the
    same. The channels hold a message without an answer back and ask again, when the conversation is as it was.
    """
    from rasa.core import agent
    from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
    from rasa.core.processor import MessageProcessor

    handle_message = MessageProcessor.handle_message

    async def handle_whole(self: MessageProcessor, message: UserMessage) -> Any:  # noqa: ANN401 - as in the library
        try:
            return await handle_message(self, message)
        except Exception:
            if isinstance(message.output_channel, CollectingOutputChannel):
                message.output_channel.messages.clear()
            raise

    MessageProcessor.handle_message = handle_whole
    agent.FailSafeTrackerStore = lambda store: store


def main() -> None:
    """Load the model and serve until told to stop."""
    arguments = parse_arguments()
    if not arguments.model.is_file():
        sys.exit(f"no model at {arguments.model}: run `suqiutong train`")
    os.environ["SUQIUTONG_ACTION_URL"] = arguments.actions
    sys.path.insert(0, str(ROOT))

    from rasa.core.run import serve_application
    from rasa.core.utils import AvailableEndpoints

    log_without_words()
    check_action_results_quickly()
    keep_connections_to_actions()
    look_for_classes_once()
    tell_what_was_understood()
    answer_only_what_is_kept()
    serve_application(
        model_path=str(arguments.model),
        interface="127.0.0.1",
        port=arguments.port,
        credentials=str(ROOT / "bot" / "credentials.yml"),
        endpoints=AvailableEndpoints.read_endpoints(str(ROOT / "bot" / "endpoints.yml")),
        enable_api=False,
    )


if __name__ == "__main__":
    main()
