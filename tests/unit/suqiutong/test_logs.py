"""What an exception leaves in a log, and in the text of a database's error."""

import logging

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from suqiutong.database import make_engine
from suqiutong.logs import FORMAT, WordlessFormatter

WORDS = "王小红 13800138000 家里漏水"


def fail() -> None:
    try:
        raise ValueError(WORDS)
    except ValueError as error:
        raise RuntimeError(f"again: {WORDS}") from error


def test_a_traceback_tells_types_and_places_alone():
    try:
        fail()
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("web", logging.ERROR, __file__, 1, "failed id=%s", ("a1",), info)
    written = WordlessFormatter(FORMAT).format(record)
    assert "failed id=a1" in written
    assert "builtins.RuntimeError" in written
    assert "builtins.ValueError" in written
    assert f'{__file__}", line ' in written
    assert "王小红" not in written
    assert "13800138000" not in written


def test_an_error_of_the_database_does_not_hold_the_row():
    engine = make_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.execute(text("INSERT INTO nowhere VALUES (:matter)"), {"matter": WORDS})
    engine.dispose()
    assert "nowhere" in str(caught.value)
    assert "王小红" not in str(caught.value)
