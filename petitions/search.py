"""The words and the meaning of petitions: written when one is filed, searched through an index of the database.

Chinese has no spaces, so that its text is cut into overlapping pairs of signs: whatever stands in it is then found
by the pairs of which it is made. Both databases keep the same words, SQLite in an FTS5 table, PostgreSQL in a GIN
index over a `tsvector`. Only the masked text is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    DDL,
    ColumnElement,
    Select,
    cast,
    column,
    event,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.orm import Session

from language.normalise import normalise
from language.vectors import Encoder, Vectors
from petitions.model import Petition, Petitioner, PetitionText
from storage import begin_writing

_PIECE = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LONGEST_WORD = 20
_FULL_TEXT = table("petition_words", column("rowid"), column("words"))
_TERMS = literal_column("petition_text.terms", TSVECTOR)
# Words that a larger share of the petitions has, as the last `ANALYZE` estimated, are found by reading the newest.
_COMMON_SHARE = 0.02
# So many of the newest petitions are read for each that is wanted before the index of words is asked.
_READ_FOR_EACH = 50
_COMMON = text(
    "SELECT word FROM pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs) AS known (word, share) "
    "WHERE tablename = 'petition_text' AND attname = 'terms' AND word = ANY(:words) AND share > :least"
)
# Ordered by the id itself, the planner would read the newest petitions one by one until enough have the word.
_NEWEST_OF_EACH = text(
    "SELECT word, ARRAY(SELECT petition_id FROM petition_text WHERE terms @@ quote_literal(word)::tsquery "
    "ORDER BY petition_id + 0 DESC LIMIT :limit) FROM unnest(CAST(:words AS text[])) AS asked (word)"
)
_HIGHEST = np.float32(127)
# The full-text index, as migration 0030 makes it, for a database that is made from the models. That of SQLite keeps
# itself by triggers.
_MAKING = {
    "sqlite": (
        "CREATE VIRTUAL TABLE petition_words USING fts5 "
        "(words, content='petition_text', content_rowid='petition_id', detail='none')",
        "CREATE TRIGGER petition_text_insert AFTER INSERT ON petition_text BEGIN "
        "INSERT INTO petition_words (rowid, words) VALUES (new.petition_id, new.words); END",
        "CREATE TRIGGER petition_text_delete AFTER DELETE ON petition_text BEGIN "
        "INSERT INTO petition_words (petition_words, rowid, words) VALUES ('delete', old.petition_id, old.words); END",
    ),
    "postgresql": (
        "ALTER TABLE petition_text ADD COLUMN terms tsvector "
        "GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED",
        "CREATE INDEX ix_petition_text_words ON petition_text USING gin (terms)",
    ),
}
for _dialect, _statements in _MAKING.items():
    for _statement in _statements:
        event.listen(PetitionText.__table__, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


def words_of(text: str) -> list[str]:
    """The words by which a text is found, each once, in order: pairs of Chinese signs, and runs of letters or digits.

    A last sign stands alone too, so that every sign begins a word and can be searched by itself.
    """
    found: dict[str, None] = {}
    for piece in _PIECE.findall(normalise(text)):
        if _CHINESE.match(piece):
            found.update(dict.fromkeys(piece[i : i + 2] for i in range(len(piece))))
        else:
            found[piece[:_LONGEST_WORD]] = None
    return list(found)


def wanted_words(text: str) -> list[str]:
    """The words that a searched text must have, as `words_of` cuts it; a single Chinese sign is the start of one."""
    found: dict[str, None] = {}
    # Whoever parts two words by a space does not say that they stand together.
    for piece in (piece for part in text.split() for piece in _PIECE.findall(normalise(part))):
        if _CHINESE.match(piece) and len(piece) > 1:
            found.update(dict.fromkeys(piece[i : i + 2] for i in range(len(piece) - 1)))
        else:
            found[piece[:_LONGEST_WORD]] = None
    return list(found)


def write_text(session: Session, petition: Petition, vector: bytes | None = None) -> None:
    """Write by what a petition is found that has no words yet, in the transaction that writes its text.

    Args:
        session: Open; the caller commits.
        petition: With its number and its masked text.
        vector: What its text means, as `quantised` keeps it; None leaves that to `read_unread`.
    """
    words = " ".join(words_of(f"{petition.number} {text_of(petition.matter, petition.place)}"))
    session.add(PetitionText(petition_id=petition.id, words=words, vector=vector))


def text_of(matter: str | None, place: str | None) -> str:
    """What a petition is judged and compared by: its matter, and its place where that does not stand in it."""
    named = "" if place is None or place in (matter or "") else f"地点：{place}"
    return "。".join(filter(None, (named, matter)))


def quantised(vector: NDArray[np.float32]) -> bytes:
    """A sentence vector of shape (384,) in as many bytes; its length is lost, its direction kept."""
    kept: NDArray[np.int8] = np.rint(vector * (_HIGHEST / np.abs(vector).max())).astype(np.int8)
    return bytes(kept.tobytes())


def nearness(vector: bytes, others: Sequence[bytes | None]) -> NDArray[np.float32]:
    """The cosine of a quantised vector to each of others; 0 where there is none."""
    empty = bytes(len(vector))
    rows = np.stack([np.frombuffer(other or empty, dtype=np.int8) for other in others]).astype(np.float32)
    own = np.frombuffer(vector, dtype=np.int8).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(own)
    return np.asarray(rows @ own / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def find_by_words(session: Session, words: Sequence[str], *, before_id: int | None = None, limit: int) -> Sequence[int]:
    """The ids of the newest petitions whose text has all of these words, newest first; who may see them is not asked.

    Args:
        session: Open.
        words: As `wanted_words` cuts them.
        before_id: Only those filed before this one.
        limit: At most this many; the index is read no further.
    """
    if session.get_bind().dialect.name == "sqlite":
        return session.scalars(_in_sqlite(words, before_id).limit(limit)).all()
    # PostgreSQL's index gives all petitions that have the words before the newest of them are known, and how many that
    # will be nobody knows: the words of a phrase go together. So the newest petitions are read, and the index is asked
    # for the rest, which are few where so many petitions held less than was wanted.
    newest = before_id or (session.scalar(select(func.max(PetitionText.petition_id))) or 0) + 1
    oldest = newest - limit * _READ_FOR_EACH
    found = session.scalars(_by_reading(words, oldest, newest).limit(limit)).all()
    if len(found) == limit or oldest <= 1:
        return found
    return [*found, *session.scalars(_by_index(words, oldest).limit(limit - len(found)))]


def find_by_each(session: Session, words: Sequence[str], *, limit: int) -> Mapping[str, Sequence[int]]:
    """The ids of the newest petitions that have each of these words, as `words_of` cuts them.

    Args:
        session: Open.
        words: Of two signs at least, most of them rare.
        limit: At most this many for each word.
    """
    if session.get_bind().dialect.name == "sqlite":
        return {word: find_by_words(session, [word], limit=limit) for word in words}
    common = set(session.scalars(_COMMON, {"words": list(words), "least": _COMMON_SHARE}))
    rare = [word for word in words if word not in common]
    found: dict[str, Sequence[int]] = {word: find_by_words(session, [word], limit=limit) for word in common}
    for word, ids in session.execute(_NEWEST_OF_EACH, {"words": rare, "limit": limit}):
        found[word] = ids or ()
    return found


def has_unread(session: Session) -> bool:
    """Whether a sentence vector is missing."""
    return session.scalar(select(PetitionText.petition_id).where(PetitionText.vector.is_(None)).limit(1)) is not None


def read_unread(session: Session, encoder: Encoder, *, limit: int = 50) -> int:
    """Make the sentence vectors that are missing; how many. Call again until none.

    Args:
        session: At the start of a transaction; the caller commits.
        encoder: Makes them.
        limit: At most this many.
    """
    begin_writing(session)
    rows = session.execute(
        select(PetitionText, Petition)
        .join(Petition, Petition.id == PetitionText.petition_id)
        .where(PetitionText.vector.is_(None))
        .order_by(PetitionText.petition_id)
        .limit(limit)
        .with_for_update(of=PetitionText, skip_locked=True)
    ).all()
    vectors: Vectors = encoder.encode([normalise(text_of(one.matter, one.place)) for _, one in rows])
    for (row, _), vector in zip(rows, vectors, strict=True):
        row.vector = quantised(vector)
    session.flush()
    return len(rows)


def write_missing_texts(session: Session, *, limit: int = 500) -> int:
    """Write the words of petitions that have none: those filed before there were words; how many."""
    begin_writing(session)
    has_none = ~select(PetitionText.petition_id).where(PetitionText.petition_id == Petition.id).exists()
    rows = session.scalars(
        select(Petition)
        .join(Petitioner)
        .where(has_none, Petition.number.is_not(None), Petitioner.erased_at.is_(None))
        .order_by(Petition.id)
        .limit(limit)
    ).all()
    for petition in rows:
        write_text(session, petition)
    session.flush()
    return len(rows)


def _in_sqlite(words: Sequence[str], before_id: int | None) -> Select[int]:
    # Every word is quoted, so that none is read as an operator of the index.
    query = " AND ".join(f'"{word}"*' if _is_start(word) else f'"{word}"' for word in words)
    number = _FULL_TEXT.c.rowid
    statement = select(number).where(column("petition_words").op("MATCH", is_comparison=True)(query))
    return (statement if before_id is None else statement.where(number < before_id)).order_by(number.desc())


def _by_index(words: Sequence[str], before_id: int | None) -> Select[int]:
    number = PetitionText.petition_id
    statement = select(number).where(_TERMS.bool_op("@@")(_query(words)))
    # Ordered by the number itself, the planner would read the newest petitions one by one until enough have the words.
    return (statement if before_id is None else statement.where(number < before_id)).order_by((number + 0).desc())


def _by_reading(words: Sequence[str], from_id: int, before_id: int) -> Select[int]:
    number = PetitionText.petition_id
    every = select(number, _TERMS.label("terms")).where(number >= from_id, number < before_id).order_by(number.desc())
    # The limit, which leaves nothing out, keeps the condition on the words, and so their index, out of the inner part.
    read = every.limit(before_id - from_id).subquery()
    return (
        select(read.c.petition_id).where(read.c.terms.bool_op("@@")(_query(words))).order_by(read.c.petition_id.desc())
    )


def _query(words: Sequence[str]) -> ColumnElement[Any]:
    return cast(literal(" & ".join(f"'{word}':*" if _is_start(word) else f"'{word}'" for word in words)), TSQUERY)


def _is_start(word: str) -> bool:
    return len(word) == 1 and _CHINESE.match(word) is not None
