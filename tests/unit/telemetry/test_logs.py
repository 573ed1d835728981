"""Lines carry the id of their request, are one JSON object where that is wanted, and never the text of an error."""

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from telemetry.logs import (
    JsonFormatter,
    RequestFilter,
    TextFormatter,
    in_request,
    new_request_id,
    request_id,
    trace_of,
    valid_request_id,
)

SECRET = "张三的电话13800138000"


def line(formatter, message, *args, name="channels.chat", error=None):
    information = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, "chat.py", 1, message, args, information)
    assert RequestFilter().filter(record)
    return formatter.format(record)


def failure():
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        return error


def test_a_line_of_a_request_has_its_id_and_others_have_none():
    with in_request("abc-123456"):
        assert "channels.chat [abc-123456] - started" in line(TextFormatter(), "started")
        with in_request("another-1"):
            assert request_id() == "another-1"
        assert request_id() == "abc-123456"
    assert "channels.chat [-] - started" in line(TextFormatter(), "started")
    assert "request" not in json.loads(line(JsonFormatter(), "started"))


@pytest.mark.parametrize(
    "given", [None, 17, "short", "spaces in it", "换行\n", "13800138000", "138-0013-8000", "x" * 65]
)
def test_what_is_no_id_is_not_logged(given):
    assert valid_request_id(given) is None
    with in_request(given):
        assert request_id() is None


def test_new_ids_are_ids():
    assert valid_request_id(new_request_id())
    assert new_request_id() != new_request_id()


def test_a_thread_of_the_request_logs_its_id():
    with ThreadPoolExecutor(1) as pool, in_request("abc-123456"):
        assert pool.submit(copy_context().run, request_id).result() == "abc-123456"


def test_our_lines_become_objects_with_fields():
    with in_request("abc-123456"):
        told = json.loads(line(JsonFormatter(), "request route=%s status=%s done={'sent': %d}", "/api/chat", 200, 2))
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "ERROR",
        "logger": "channels.chat",
        "request": "abc-123456",
        "event": "request",
        "route": "/api/chat",
        "status": "200",
        "done": "{'sent': 2}",
    }


def test_lines_of_libraries_stay_sentences():
    told = json.loads(line(JsonFormatter(), "Task %s was revoked", "17", name="huey"))
    assert told["message"] == "Task 17 was revoked"
    assert "event" not in told


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize("name", ["suqiutong.worker", "uvicorn.error"])
def test_an_error_is_told_by_kind_and_place_alone(formatter, name):
    said = line(formatter, "job_failed job=%s", "tick", name=name, error=failure())
    assert "ValueError@test_logs.py:" in said
    assert "<-KeyError@test_logs.py:" in said
    assert "张三" not in said
    assert "1380013" not in said
    assert "\n" not in said.replace("\ntrace=", "")


def test_an_error_that_causes_itself_ends():
    error = ValueError()
    error.__context__ = KeyError()
    error.__context__.__context__ = error
    assert trace_of(error).count("<-") == 3


@pytest.mark.parametrize(("log_format", "start"), [("text", "20"), ("json", '{"at": "20')])
def test_a_process_logs_in_the_format_that_is_set(log_format, start):
    code = (
        "import logging, sys; from telemetry.logs import start_logging; start_logging('info', sys.argv[1]); "
        "logging.getLogger('web.guard').info('request status=%d', 200); logging.getLogger('huey').info('quiet'); "
        "loud = logging.getLogger('bm25s'); loud.setLevel(logging.DEBUG); loud.debug('quiet too')"
    )
    told = subprocess.run([sys.executable, "-c", code, log_format], capture_output=True, text=True, check=True).stderr
    assert told.startswith(start)
    assert len(told.splitlines()) == 1
