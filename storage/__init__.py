"""What all tables stand on: base, aware timestamps, sealed columns, transactions that write, and all migrations."""

from storage.base import IS_WRITING, Base, UtcDateTime, begin_writing
from storage.sealed import SealedJson, seal_with

__all__ = ["IS_WRITING", "Base", "SealedJson", "UtcDateTime", "begin_writing", "seal_with"]
