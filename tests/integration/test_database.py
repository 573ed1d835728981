"""What SQLite leaves of a row that was deleted."""

from sqlalchemy import text

from suqiutong.database import make_engine


def test_a_deleted_row_is_not_left_in_the_file(tmp_path):
    path = tmp_path / "test.db"
    engine = make_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, said TEXT)"))
        connection.execute(text("INSERT INTO kept (said) VALUES ('13800138000'), ('stays')"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"13800138000" in path.read_bytes()
        connection.execute(text("DELETE FROM kept WHERE id = 1"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    assert b"stays" in path.read_bytes()
    assert b"13800138000" not in path.read_bytes()
