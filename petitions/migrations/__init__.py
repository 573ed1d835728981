"""Every change of the tables, forth and back, from code."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(engine_url: str, revision: str = "head") -> None:
    """Bring the database at `engine_url` to `revision`."""
    command.upgrade(_config(engine_url), revision)


def downgrade(engine_url: str, revision: str = "base") -> None:
    """Take the database at `engine_url` back to `revision`."""
    command.downgrade(_config(engine_url), revision)


def _config(engine_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    # The address travels as an attribute: an option of Config would read the % signs of a password as its own.
    config.attributes["engine_url"] = engine_url
    return config
