"""What all tables stand on: the declarative base, an aware timestamp, and the migrations of every package."""

from storage.base import Base, UtcDateTime

__all__ = ["Base", "UtcDateTime"]
