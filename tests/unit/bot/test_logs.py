"""What Rasa writes into its log when something fails, in the environment of the bot."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# As Rasa's REST channel and its processor log: the message, and the tracker that a failed action gave back.
SCRIPT = """
import logging
import structlog
from rasa.utils.endpoints import ClientResponseError
from bot.server import log_without_words

early = structlog.get_logger("rasa.core.channels.rest")
log_without_words()
words = "王小红 13800138000 家里漏水"
early.error("rest.message.received.timeout", text=words)
try:
    try:
        raise ClientResponseError(500, "Internal Server Error", words)
    except ClientResponseError as error:
        raise RuntimeError(words) from error
except RuntimeError:
    early.exception("rest.message.received.failure", text=words)
    logging.getLogger("rasa.core.processor").exception("Encountered an exception while running action 'action_x'.")
"""


def test_a_failure_leaves_no_words_of_a_resident():
    done = subprocess.run(
        [ROOT / ".venv-bot" / "bin" / "python", "-W", "ignore", "-c", SCRIPT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = done.stdout + done.stderr
    for told in (
        '"event": "rest.message.received.timeout"',
        '"event": "rest.message.received.failure", "level": "error", "error": "RuntimeError"',
        "Encountered an exception while running action 'action_x'.",
        "rasa.utils.endpoints.ClientResponseError",
        "line 13, in <module>",
    ):
        assert told in written
    assert "王小红" not in written
    assert "\\u738b" not in written
    assert "13800138000" not in written
