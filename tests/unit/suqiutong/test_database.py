"""What an error of the database leaves in its text."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from suqiutong.database import make_engine


def test_an_error_of_the_database_does_not_hold_the_row():
    engine = make_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.execute(text("INSERT INTO nowhere VALUES (:matter)"), {"matter": "王小红 13800138000 家里漏水"})
    engine.dispose()
    assert "nowhere" in str(caught.value)
    assert "王小红" not in str(caught.value)
