"""What all tables stand on: the declarative base, aware timestamps, transactions that write, and all migrations."""

from storage.base import IS_WRITING, Base, UtcDateTime, begin_writing

__all__ = ["IS_WRITING", "Base", "UtcDateTime", "begin_writing"]
