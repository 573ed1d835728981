"""The photos of a petition: given in a conversation or a form, taken along when it is filed, sealed throughout.

Until then they belong to their owner, the conversation or the form, and go after a day. The same photo given twice is
one. A photo that cannot be had yet has its place already, and moves with the others.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from petitions.errors import PetitionError
from petitions.images import Picture, own_photos
from petitions.log import Actor
from petitions.model import Petition
from petitions.photo_model import Photo
from petitions.visibility import visible_to
from storage import begin_writing

if TYPE_CHECKING:
    from petitions.privacy import Keyring

Size = Literal["large", "small"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A photo as its owner sees it again: what names it, and the small JPEG; None while it is still to be fetched."""

    token: str
    small: bytes | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo of a petition: its place among them, and its width and height; None while it is still to be fetched."""

    position: int
    width: int | None
    height: int | None


def add_photo(session: Session, keyring: Keyring, owner: str, picture: Picture, *, now: datetime) -> bool:
    """Keep a photo for its owner's next petition; False when they have given the same one already.

    Args:
        session: At the start of a transaction, or in one that `begin_writing` began; the caller commits.
        keyring: Keys.
        owner: The conversation or the form.
        picture: From `redraw`.
        now: Aware.

    Raises:
        PetitionError: `too_many_photos`.
    """
    token = secrets.token_hex(16)
    values = {"token": token} | _sealed(keyring, token, picture)
    return _place(session, owner, values, keyring.marks(picture.large), expires_at=_expiry(now), now=now)


def expect_photo(session: Session, owner: str, *, expires_at: datetime, now: datetime) -> str:
    """Hold a place for a photo that cannot be had yet; what names it for `fill_photo`.

    Raises:
        PetitionError: `too_many_photos`.
    """
    token = secrets.token_hex(16)
    _place(session, owner, {"token": token}, (), expires_at=expires_at, now=now)
    return token


def fill_photo(session: Session, keyring: Keyring, token: str, picture: Picture, *, now: datetime) -> bool:
    """Put a photo into the place that was held for it, wherever that has moved; False when there is none any more."""
    begin_writing(session)
    row = session.scalar(select(Photo).where(Photo.token == token).with_for_update())
    if row is None or row.digest is not None:
        return row is not None
    beside = Photo.owner == row.owner if row.owner is not None else Photo.petition_id == row.petition_id
    if session.scalar(select(Photo.id).where(beside, Photo.digest.in_(keyring.marks(picture.large))).limit(1)):
        session.delete(row)
        session.flush()
        return True
    if row.owner is not None:
        row.expires_at = _expiry(now)
    _put(row, _sealed(keyring, row.token, picture))
    session.flush()
    return True


def drop_photo(session: Session, token: str, *, owner: str | None = None) -> bool:
    """Delete a photo that its owner takes back, or (without an owner) a place that stays empty; whether there was one.

    What a petition has taken is taken back no more.
    """
    begin_writing(session)
    whose: ColumnElement[bool] = Photo.owner == owner if owner is not None else Photo.digest.is_(None)
    return _count(session.execute(delete(Photo).where(Photo.token == token, whose))) > 0


def drop_photos_of(session: Session, owners: Iterable[str]) -> int:
    """Delete what waits for the next petition of these owners; how many photos."""
    begin_writing(session)
    return _count(session.execute(delete(Photo).where(Photo.owner.in_(set(owners)))))


def waiting_photos(session: Session, owner: str) -> int:
    """How many photos go along with this owner's next petition."""
    return session.scalar(select(func.count()).select_from(Photo).where(Photo.owner == owner)) or 0


def previews(session: Session, keyring: Keyring, owner: str) -> list[Preview]:
    """The photos that go along with this owner's next petition, small."""
    rows = session.scalars(
        select(Photo).where(Photo.owner == owner).order_by(Photo.position).options(undefer(Photo.small))
    )
    return [Preview(row.token, _opened(keyring, row, "small") if row.digest else None) for row in rows]


def take_photos(session: Session, owner: str, petition: Petition) -> int:
    """Give a petition that was just written the photos of its owner; how many."""
    mine = update(Photo).where(Photo.owner == owner)
    return _count(session.execute(mine.values(owner=None, petition_id=petition.id, expires_at=None)))


def photos_of(session: Session, number: str, actor: Actor) -> list[Shown]:
    """The photos of a ticket, in their order; none when the actor may not see it."""
    rows = session.scalars(
        select(Photo).join(Petition).where(Petition.number == number, visible_to(actor)).order_by(Photo.position)
    )
    return [Shown(row.position, row.width, row.height) for row in rows]


def open_photo(
    session: Session, keyring: Keyring, number: str, position: int, actor: Actor, *, size: Size = "large"
) -> bytes:
    """One photo of a ticket as a JPEG.

    Raises:
        PetitionError: `no_such_photo`, alike for one that is not there and one that the actor may not see;
            `key_missing`, `damaged`.
    """
    row = session.scalar(
        select(Photo)
        .join(Petition)
        .where(Petition.number == number, visible_to(actor), Photo.position == position, Photo.digest.is_not(None))
        .options(undefer(Photo.large if size == "large" else Photo.small))
    )
    if row is None:
        raise PetitionError("no_such_photo")
    return _opened(keyring, row, size)


def purge_photos(session: Session, *, now: datetime) -> int:
    """Delete the photos that no petition has taken in their time; how many."""
    begin_writing(session)
    return _count(session.execute(delete(Photo).where(Photo.owner.is_not(None), Photo.expires_at <= now)))


# What privacy.py does with all that is personal, for photos.


def has_photos(session: Session, petition_id: int) -> bool:
    """Whether any photo of this petition is kept."""
    return session.scalar(select(Photo.id).where(Photo.petition_id == petition_id).limit(1)) is not None


def erase_photos(session: Session, petition_id: int) -> int:
    """Delete the photos of a petition, how many."""
    return _count(session.execute(delete(Photo).where(Photo.petition_id == petition_id)))


def export_photos(session: Session, keyring: Keyring, petition_id: int) -> list[tuple[datetime, bytes]]:
    """The photos of a petition: when each came, and its JPEG."""
    rows = session.scalars(
        select(Photo)
        .where(Photo.petition_id == petition_id, Photo.digest.is_not(None))
        .order_by(Photo.position)
        .options(undefer(Photo.large))
    )
    return [(row.added_at, _opened(keyring, row, "large")) for row in rows]


def reseal_photos(session: Session, keyring: Keyring, *, limit: int) -> int:
    """Seal with the current key what is sealed with another; how many photos."""
    rows = session.scalars(
        select(Photo)
        .where(or_(Photo.key_id < keyring.current, Photo.key_id > keyring.current))
        .order_by(Photo.id)
        .limit(limit)
        .with_for_update()
        .options(undefer(Photo.large), undefer(Photo.small))
    ).all()
    for row in rows:
        large, small = _opened(keyring, row, "large"), _opened(keyring, row, "small")
        _put(row, _sealed(keyring, row.token, Picture(large, small, row.width or 0, row.height or 0)))
    session.flush()
    return len(rows)


def keys_of_photos(session: Session) -> set[str]:
    """The ids of the keys that photos are sealed with."""
    return {key_id for key_id in session.scalars(select(Photo.key_id).distinct()) if key_id is not None}


def _expiry(now: datetime) -> datetime:
    return now + timedelta(hours=own_photos().staged_hours)


def _place(
    session: Session,
    owner: str,
    values: Mapping[str, Any],
    marks: Sequence[str],
    *,
    expires_at: datetime,
    now: datetime,
) -> bool:
    """Give a new photo the first free place of its owner; False when the same is there already."""
    begin_writing(session)
    most = own_photos().most
    # Whoever is at it at the same moment may take a place between our look and our insert.
    for _ in range(most + 1):
        others = session.execute(select(Photo.position, Photo.digest).where(Photo.owner == owner)).all()
        if any(other.digest in marks for other in others):
            return False
        free = set(range(1, most + 1)) - {other.position for other in others}
        if not free:
            break
        row = Photo(owner=owner, position=min(free), added_at=now, expires_at=expires_at, **values)
        try:
            with session.begin_nested():
                session.add(row)
                session.flush()
        except IntegrityError:
            continue
        return True
    raise PetitionError("too_many_photos", most=str(most))


def _sealed(keyring: Keyring, token: str, picture: Picture) -> dict[str, Any]:
    """The columns of a photo that is there."""
    return {
        "key_id": keyring.current,
        "digest": keyring.marks(picture.large)[0],
        "large": keyring.seal_bytes(picture.large, _context(token, "large")),
        "small": keyring.seal_bytes(picture.small, _context(token, "small")),
        "width": picture.width,
        "height": picture.height,
    }


def _put(row: Photo, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _opened(keyring: Keyring, row: Photo, size: Size) -> bytes:
    return keyring.open_bytes(str(row.key_id), getattr(row, size), _context(row.token, size))


def _context(token: str, size: Size) -> str:
    return f"photo:{token}:{size}"


def _count(result: Any) -> int:  # noqa: ANN401 - execute() is typed for queries
    return result.rowcount if isinstance(result, CursorResult) else 0
