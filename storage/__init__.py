"""What all tables stand on: base, aware timestamps, sealed columns, transactions that write, locks, migrations."""

from storage.base import IS_WRITING, Base, UtcDateTime, begin_writing
from storage.locks import SharedLocks
from storage.sealed import SealedJson, seal_with

__all__ = ["IS_WRITING", "Base", "SealedJson", "SharedLocks", "UtcDateTime", "begin_writing", "seal_with"]
