"""Personal data of petitioners: sealed, found by a keyed hash, shown masked, and in whole only with a reason.

What is personal stands in the tables `personal` and `photo`, sealed with AES-GCM under a key that is not in the
database. A petition keeps of its text only what `language.mask_personal` leaves. Each look at the whole, each export
and each erasure is an event of the petition, with who and why.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from language.personal import find_personal, mask_personal
from petitions.cases import lock_petitions
from petitions.data import load
from petitions.errors import PetitionError
from petitions.log import SYSTEM, Actor, append, canonical, erase_words
from petitions.model import Event, EventPrivate, Notice, Personal, Petition, Petitioner, PetitionText
from petitions.photo_model import Photo
from petitions.photos import drop_photos_of, erase_photos, export_photos, has_photos, keys_of_photos, reseal_photos
from petitions.rules import Rules, own_rules
from petitions.visibility import handles, may_see, visible_to
from storage import begin_writing

KEY_BYTES = 32
_NONCE_BYTES = 12
_UNSEALED = ""
_WORDS = "words"
_PHOTO = "photo"
_RULES = Path(__file__).with_name("privacy.yml")

Right = Literal["unmask", "export", "erase"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(_Strict):
    """How much of a kind stays readable, and how long one may be."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    longest: int


class PrivacyRules(_Strict):
    """The rules of privacy.yml."""

    as_of: date
    kinds: Mapping[str, Shown]
    texts: tuple[Literal["matter", "place", "occurred"], ...]
    erased: str
    mask: str
    may: Mapping[Right, frozenset[str]]
    least_reason: int
    retention: Mapping[str, int]
    source: str


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys by their ids, and the one that seals now. Of each, one key seals, one finds, one signs."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def seal(self, text: str, context: str) -> str:
        """The text, sealed with the current key; it can be opened only in the same context."""
        return base64.b64encode(self.seal_bytes(text.encode(), context)).decode()

    def seal_bytes(self, content: bytes, context: str) -> bytes:
        """The content, sealed with the current key; it can be opened only in the same context."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key(self.current, "seal")).encrypt(nonce, content, context.encode())

    def open(self, key_id: str, sealed: str, context: str) -> str:
        """The text that was sealed.

        Raises:
            PetitionError: `key_missing`; `damaged` when it was changed or belongs elsewhere.
        """
        try:
            return self.open_bytes(key_id, base64.b64decode(sealed, validate=True), context).decode()
        except (binascii.Error, ValueError) as error:
            raise PetitionError("damaged") from error

    def open_bytes(self, key_id: str, sealed: bytes, context: str) -> bytes:
        """The content that was sealed.

        Raises:
            PetitionError: `key_missing`; `damaged` when it was changed or belongs elsewhere.
        """
        key = AESGCM(self._key(key_id, "seal"))
        try:
            return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise PetitionError("damaged") from error

    def digest(self, kind: str, value: str, key_id: str | None = None) -> str:
        """What finds this value without telling it."""
        text = f"{kind}:{normalised(kind, value)}"
        return hmac.digest(self._key(key_id or self.current, "find"), text.encode(), "sha256").hex()

    def digests(self, kind: str, value: str) -> list[str]:
        """The same under every key, for what was not sealed anew yet."""
        return [self.digest(kind, value, key_id) for key_id in self.keys]

    def marks(self, content: bytes) -> list[str]:
        """What finds this very content without telling it: under the current key, then under each other one."""
        key_ids = [self.current, *(key_id for key_id in self.keys if key_id != self.current)]
        return [hmac.digest(self._key(key_id, "find"), b"content:" + content, "sha256").hex() for key_id in key_ids]

    def sign(self, content: bytes, key_id: str) -> str:
        """A signature that only who has the key can make."""
        return hmac.digest(self._key(key_id, "sign"), content, "sha256").hex()

    def _key(self, key_id: str, purpose: str) -> bytes:
        try:
            return _derived(self.keys[key_id], purpose)
        except KeyError as error:
            raise PetitionError("key_missing", key_id=key_id) from error


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: its proof, and the conversations whose transcripts have to go too."""

    proof: dict[str, Any]
    conversations: tuple[str, ...]


@cache
def own_privacy() -> PrivacyRules:
    """The rules beside the code."""
    return load(_RULES, PrivacyRules)


def normalised(kind: str, value: str) -> str:
    """A value as it is compared: half-width, without spaces and dashes, a phone without the country."""
    text = re.sub(r"[\s()‐-―-]", "", unicodedata.normalize("NFKC", value)).upper()
    return re.sub(r"^\+?86(?=1\d{10}$)", "", text) if kind == "phone" else text


def seal_personal(keyring: Keyring, petitioner: Petitioner, values: Mapping[str, str | None]) -> None:
    """Give a new petitioner their personal data, sealed; what is empty is left out."""
    kinds = own_privacy().kinds
    for kind, value in values.items():
        if value:
            kept = value[: kinds[kind].longest] if kind in kinds else value
            row = Personal(kind=kind)
            _seal(keyring, row, petitioner.token, kept)
            petitioner.personal.append(row)


def protect_texts(keyring: Keyring, petitioner: Petitioner, texts: Mapping[str, str | None]) -> dict[str, str | None]:
    """The texts as a petition keeps them; the whole of those that held something personal is sealed."""
    kept = {name: mask_personal(text) if text else text for name, text in texts.items()}
    whole = {name: text for name, text in texts.items() if text != kept[name]}
    numbers = (one.text for text in texts.values() for one in find_personal(text or "") if one.kind == "id_number")
    seal_personal(keyring, petitioner, whole | {"id_number": next(numbers, None)})
    return kept


def masked(keyring: Keyring, petitioner: Petitioner) -> dict[str, str]:
    """Name, phone and identity number as anybody who sees the petition may read them."""
    rules = own_privacy()
    return {
        row.kind: _starred(_opened(keyring, row, petitioner.token), rules.kinds[row.kind], rules.mask)
        for row in petitioner.personal
        if row.kind in rules.kinds
    }


def personal_of(keyring: Keyring, petitioner: Petitioner) -> dict[str, str]:
    """Name and phone in whole, for the machine to file with; nobody is shown them."""
    rows = (row for row in petitioner.personal if row.kind in {"name", "phone"})
    return {row.kind: _opened(keyring, row, petitioner.token) for row in rows}


def unmask(
    session: Session,
    keyring: Keyring,
    petition_id: int,
    kinds: Iterable[str],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    rules: Rules | None = None,
) -> dict[str, str]:
    """Personal data in whole, and the event that says who saw them and why. Commit before you show them.

    Args:
        session: At the start of a transaction; the caller commits.
        keyring: Keys.
        petition_id: Whose petition.
        kinds: Which; those that are not there are left out.
        reason: Why, in the actor's words.
        actor: Who looks.
        now: Aware.
        rules: Other rules than those beside the code.

    Raises:
        PetitionError: `not_found`, `not_permitted`, `reason_needed`, `key_missing`, `damaged`.
    """
    petition = _locked_for(session, petition_id, "unmask", reason, actor, rules)
    wanted = set(kinds)
    rows = [row for row in petition.petitioner.personal if row.kind in wanted]
    values = {row.kind: _opened(keyring, row, petition.petitioner.token) for row in rows}
    _note(session, petition, "unmask", actor, reason, now, {"kinds": sorted(values)})
    return values


def find_by_personal(session: Session, keyring: Keyring, kind: str, value: str, actor: Actor) -> Sequence[Petition]:
    """The petitions of whoever has this name, phone or identity number, as far as the actor may see them."""
    return session.scalars(
        select(Petition)
        .join(Personal, Personal.petitioner_id == Petition.petitioner_id)
        .where(Personal.kind == kind, Personal.digest.in_(keyring.digests(kind, value)), visible_to(actor))
        .order_by(Petition.id)
    ).all()


def export_person(
    session: Session,
    keyring: Keyring,
    petition_ids: Iterable[int],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    rules: Rules | None = None,
) -> dict[str, Any]:
    """All that is kept of one person, as JSON; each petition gets an event. Commit before you hand it out.

    Names of staff and their notes to each other are not the person's data and stay out.

    Raises:
        PetitionError: as `unmask`.
    """
    petitions = []
    lifecycle = (rules or own_rules()).lifecycle
    for petition_id in sorted(set(petition_ids)):
        petition = _locked_for(session, petition_id, "export", reason, actor, rules)
        token = petition.petitioner.token
        said: dict[str, str | None] = {name: getattr(petition, name) for name in own_privacy().texts}
        said |= {row.kind: _opened(keyring, row, token) for row in petition.petitioner.personal}
        petitions.append(
            {
                "number": petition.number,
                "filed_at": petition.filed_at.isoformat(),
                "class": petition.class_,
                "category": petition.category,
                "state": lifecycle.states[petition.state].label,
                "channel": petition.channel,
                "said": said,
                "photos": [
                    {"added_at": added_at.isoformat(), "jpeg": base64.b64encode(content).decode()}
                    for added_at, content in export_photos(session, keyring, petition.id)
                ],
                "events": [_event_for_person(event, lifecycle.labels) for event in petition.events],
            }
        )
        _note(session, petition, "export", actor, reason, now, {"kinds": sorted(said)})
    return {"made_at": now.astimezone(UTC).isoformat(), "petitions": petitions}


def erase_person(
    session: Session,
    keyring: Keyring,
    petition_ids: Iterable[int],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    rules: Rules | None = None,
) -> Erased:
    """Erase all that is personal in the petitions of one person. Their chains of events still hold.

    What remains tells nobody: class, category, unit, dates, marks. The proof names the events of the erasure and is
    signed; `check_proof` holds it against the database at any later time.

    Raises:
        PetitionError: `still_open` with the numbers of those that are not at their end, and as `unmask`.
    """
    ids = sorted(set(petition_ids))
    begin_writing(session)
    petitions = [_locked_for(session, petition_id, "erase", reason, actor, rules) for petition_id in ids]
    states = (rules or own_rules()).lifecycle.states
    if still_open := [str(petition.number) for petition in petitions if not states[petition.state].is_ending]:
        raise PetitionError("still_open", numbers="、".join(still_open))
    done = []
    conversations = tuple(sorted({petition.conversation for petition in petitions} - {""}))
    session.execute(delete(Notice).where(Notice.to == "petitioner", Notice.recipient.in_(conversations)))
    drop_photos_of(session, conversations)
    for petition in petitions:
        kinds = _delete_personal(session, petition, {*(row.kind for row in petition.petitioner.personal), _PHOTO})
        for name in own_privacy().texts:
            if getattr(petition, name) is not None:
                setattr(petition, name, own_privacy().erased)
        petition.petitioner.erased_at = now
        session.execute(delete(PetitionText).where(PetitionText.petition_id == petition.id))
        petition.route, petition.conversation = {}, ""
        also = {"kinds": kinds, "is_whole": True}
        words = erase_words(session, petition, actor, now=now, also=also, words={"reason": reason.strip()})
        done.append(
            {
                "number": petition.number,
                "event": petition.event_count,
                "hash": petition.event_hash,
                "kinds": kinds,
                "words": words,
            }
        )
    content = {"at": now.astimezone(UTC).isoformat(), "actor": actor.name, "petitions": done, "key_id": keyring.current}
    return Erased(content | {"signature": keyring.sign(canonical(content), keyring.current)}, conversations)


def check_proof(session: Session, keyring: Keyring, proof: Mapping[str, Any]) -> list[str]:
    """What does not hold of a proof of erasure, one word a fault; nothing when all of it does."""
    content = {name: value for name, value in proof.items() if name != "signature"}
    signature = str(proof.get("signature", ""))
    if not hmac.compare_digest(keyring.sign(canonical(content), str(content.get("key_id"))), signature):
        return ["signature"]
    faults = []
    for entry in content["petitions"]:
        petition = session.scalar(select(Petition).where(Petition.number == entry["number"]))
        if petition is None:
            faults.append(f"{entry['number']}: petition")
            continue
        told = session.scalar(select(Event).where(Event.petition_id == petition.id, Event.number == entry["event"]))
        if told is None or told.hash != entry["hash"]:
            faults.append(f"{entry['number']}: event")
        if petition.petitioner.personal:
            faults.append(f"{entry['number']}: personal")
        if has_photos(session, petition.id):
            faults.append(f"{entry['number']}: photo")
        if any(getattr(petition, name) not in {None, own_privacy().erased} for name in own_privacy().texts):
            faults.append(f"{entry['number']}: text")
        older = and_(Event.petition_id == petition.id, Event.number < entry["event"])
        if session.scalar(select(func.count()).select_from(EventPrivate).join(Event).where(older)):
            faults.append(f"{entry['number']}: words")
    return faults


def purge(session: Session, *, now: datetime, limit: int = 200) -> int:
    """Erase what is kept longer than its kind may be; how many petitions that touched. Call again until none.

    Args:
        session: At the start of a transaction; the caller commits.
        now: Aware.
        limit: At most this many petitions.
    """
    begin_writing(session)
    ends = {kind: now - timedelta(days=days) for kind, days in own_privacy().retention.items()}
    expired = or_(*(and_(Personal.kind == kind, Petition.ended_at <= end) for kind, end in ends.items()))
    words = select(EventPrivate.event_id).join(Event).where(Event.petition_id == Petition.id).exists()
    by_kind = select(Personal.id).where(Personal.petitioner_id == Petition.petitioner_id, expired).exists()
    photos = select(Photo.id).where(Photo.petition_id == Petition.id).exists()
    apart = [and_(Petition.ended_at <= ends[kind], kept) for kind, kept in ((_WORDS, words), (_PHOTO, photos))]
    aged = select(Petition.id).where(Petition.ended_at <= max(ends.values()), or_(by_kind, *apart))
    ids = session.scalars(aged.order_by(Petition.ended_at, Petition.id).limit(limit)).all()
    for petition in lock_petitions(session, ids) if ids else []:
        if petition.ended_at is None:  # taken up again meanwhile
            continue
        old = {kind for kind, end in ends.items() if petition.ended_at <= end}
        kinds = _delete_personal(session, petition, old)
        if _WORDS in old:
            erase_words(session, petition, SYSTEM, now=now, also={"kinds": kinds})
        else:
            _note(session, petition, "erase", SYSTEM, "", now, {"kinds": kinds})
    session.flush()
    return len(ids)


def reseal(session: Session, keyring: Keyring, *, limit: int = 500) -> int:
    """Seal with the current key what is sealed with another, or with none; how many rows. Call again until none.

    Args:
        session: At the start of a transaction; the caller commits.
        keyring: Keys; the old ones must still be there.
        limit: At most this many rows.
    """
    begin_writing(session)
    rows = _not_under(session, keyring.current, limit)
    for row in rows:
        token, was_sealed = row.petitioner.token, row.key_id != _UNSEALED
        value = _opened(keyring, row, token)
        if row.kind in own_privacy().texts and not was_sealed:
            kept = mask_personal(value)
            _set_text(session, row, kept)
            if kept == value:
                session.delete(row)
                continue
        _seal(keyring, row, token, value)
    session.flush()
    # Megabytes each.
    return len(rows) + reseal_photos(session, keyring, limit=20)


def unseal(session: Session, keyring: Keyring, *, limit: int = 500) -> int:
    """The way back, before the schema goes back to one without keys; how many rows. Call again until none."""
    begin_writing(session)
    rows = _not_under(session, _UNSEALED, limit)
    for row in rows:
        value = _opened(keyring, row, row.petitioner.token)
        if row.kind in own_privacy().texts:
            _set_text(session, row, value)
        row.key_id, row.sealed, row.digest = _UNSEALED, value, None
    session.flush()
    return len(rows)


def keys_in_use(session: Session) -> set[str]:
    """The ids of the keys that something is sealed with."""
    return (set(session.scalars(select(Personal.key_id).distinct())) - {_UNSEALED}) | keys_of_photos(session)


def _not_under(session: Session, key_id: str, limit: int) -> Sequence[Personal]:
    return session.scalars(
        select(Personal)
        .where(or_(Personal.key_id < key_id, Personal.key_id > key_id))
        .order_by(Personal.id)
        .limit(limit)
        .with_for_update()
        .options(selectinload(Personal.petitioner))
    ).all()


def _set_text(session: Session, row: Personal, text: str) -> None:
    session.execute(update(Petition).where(Petition.petitioner_id == row.petitioner_id).values({row.kind: text}))
    # By what the text before was found; the worker writes it anew.
    of_petitioner = select(Petition.id).where(Petition.petitioner_id == row.petitioner_id)
    session.execute(delete(PetitionText).where(PetitionText.petition_id.in_(of_petitioner)))


def _locked_for(
    session: Session, petition_id: int, right: Right, reason: str, actor: Actor, rules: Rules | None
) -> Petition:
    """The petition, locked, once it is sure that the actor may do this with it."""
    begin_writing(session)
    network, own = (rules or own_rules()).network, own_privacy()
    petition = next(iter(lock_petitions(session, {petition_id})), None)
    if petition is None or not may_see(petition, actor, network):
        raise PetitionError("not_found")
    is_own = actor.role == "petitioner" and right != "unmask"
    is_handler = actor.unit is not None and handles(petition, actor.unit, network)
    if not is_own and not (actor.role in own.may[right] and is_handler):
        raise PetitionError("not_permitted")
    if len(reason.strip()) < own.least_reason:
        raise PetitionError("reason_needed", least=str(own.least_reason))
    return petition


def _note(
    session: Session, petition: Petition, action: str, actor: Actor, reason: str, now: datetime, data: dict[str, Any]
) -> None:
    words = {"reason": reason.strip()} if reason else None
    append(session, petition, action, actor, state_from=petition.state, data=data, now=now, words=words)
    session.flush()


def _delete_personal(session: Session, petition: Petition, kinds: Collection[str]) -> list[str]:
    """Delete what there is of these kinds, photos among them; which of them there were, in order."""
    found = {row.kind for row in petition.petitioner.personal if row.kind in kinds}
    mine = Personal.petitioner_id == petition.petitioner_id
    session.execute(delete(Personal).where(mine, Personal.kind.in_(found)))
    session.expire(petition.petitioner, ["personal"])
    if _PHOTO in kinds and erase_photos(session, petition.id):
        found.add(_PHOTO)
    return sorted(found)


def _event_for_person(event: Event, labels: Mapping[str, str]) -> dict[str, Any]:
    told = {"at": event.at.isoformat(), "step": labels.get(event.action, event.action)}
    words = {name: text for name, text in (event.private.payload if event.private else {}).items() if name != "note"}
    return told | ({"words": words} if words else {})


def _seal(keyring: Keyring, row: Personal, token: str, value: str) -> None:
    row.key_id, row.sealed = keyring.current, keyring.seal(value, f"{token}:{row.kind}")
    row.digest = keyring.digest(row.kind, value) if row.kind in own_privacy().kinds else None


def _opened(keyring: Keyring, row: Personal, token: str) -> str:
    return row.sealed if row.key_id == _UNSEALED else keyring.open(row.key_id, row.sealed, f"{token}:{row.kind}")


def _starred(value: str, shown: Shown, mask: str) -> str:
    # What is too short to hide anything is hidden whole, and the stars do not tell how much they hide.
    if len(value) <= shown.start + shown.end:
        return mask * 2
    return value[: shown.start] + mask * (4 if shown.end else 2) + value[len(value) - shown.end :]


@cache
def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"suqiutong personal {purpose}".encode()).derive(key)
