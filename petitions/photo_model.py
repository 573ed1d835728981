"""The table of photos."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage import Base, UtcDateTime


class Photo(Base):
    """A photo of a petition, or one that waits for its petition: then it has an owner and a day on which it goes.

    What is sealed is read only when it is asked for by name. A photo that is still to be fetched has its place, and
    nothing else yet.
    """

    __tablename__ = "photo"
    # Two that arrive at once can neither be one too many nor the same.
    __table_args__ = (
        UniqueConstraint("owner", "position", name="uq_photo_owner_position"),
        UniqueConstraint("owner", "digest", name="uq_photo_owner_digest"),
        UniqueConstraint("petition_id", "position", name="uq_photo_petition_id_position"),
        UniqueConstraint("petition_id", "digest", name="uq_photo_petition_id_digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Names the photo to whoever gave it, and binds what is sealed to this row.
    token: Mapped[str] = mapped_column(String(32), unique=True)
    # The conversation or the form that it was given in, until a petition takes it.
    owner: Mapped[str | None] = mapped_column(String(120))
    petition_id: Mapped[int | None] = mapped_column(ForeignKey("petition.id"))
    # From 1 to the most that a petition may have.
    position: Mapped[int]
    key_id: Mapped[str | None] = mapped_column(String(16), index=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    large: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    small: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    width: Mapped[int | None]
    height: Mapped[int | None]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
