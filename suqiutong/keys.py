"""The file of the keys that seal personal data: made at the first start, readable by its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from petitions.privacy import KEY_BYTES, Keyring
from suqiutong.errors import CommandError

# A process may still seal with the key that it read before the rotation.
GRACE = timedelta(hours=1)


def read_keyring(path: Path, *, now: datetime) -> Keyring:
    """The keys in the file; one is made where there is no file yet.

    Raises:
        CommandError: others can read the file, or it holds no keys.
    """
    if not path.exists():
        with _locked(path):
            if not path.exists():
                _write(path, _with_new_key({"current": "", "keys": {}}, now))
    return _keyring(path, _read(path))


def add_key(path: Path, *, now: datetime) -> Keyring:
    """Make one more key, which seals from now on; the older ones still open."""
    read_keyring(path, now=now)
    with _locked(path):
        _write(path, _with_new_key(_read(path), now))
    return read_keyring(path, now=now)


def drop_keys(path: Path, used: Iterable[str], *, now: datetime) -> list[str]:
    """Delete the keys that nothing is sealed with any more; their ids. The present one stays.

    Raises:
        CommandError: the last rotation is so young that a process may not know of it yet.
    """
    with _locked(path):
        content = _read(path)
        keys, current = content["keys"], content["current"]
        if now - datetime.fromisoformat(keys[current]["made_at"]) < GRACE:
            raise CommandError("the last rotation is younger than an hour: drop the old keys later")
        gone = sorted(set(keys) - {current, *used})
        if gone:
            _write(path, {"current": current, "keys": {name: keys[name] for name in keys if name not in gone}})
    return gone


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_mode & 0o077:
        raise CommandError(f"{path} can be read by others: chmod 600 it, and rotate the keys if they did")
    with suppress(ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and {"current", "keys"} <= content.keys():
            return content
    raise CommandError(f"{path} holds no keys: restore it from a backup (personal data cannot be read without it)")


def _keyring(path: Path, content: Mapping[str, Any]) -> Keyring:
    try:
        keys = {name: bytes.fromhex(entry["key"]) for name, entry in content["keys"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        keys = {}
    if content["current"] not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise CommandError(f"{path} holds no keys: restore it from a backup (personal data cannot be read without it)")
    return Keyring(content["current"], keys)


def _with_new_key(content: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    name = f"k{now:%y%m%d}{secrets.token_hex(3)}"
    key = {"key": secrets.token_hex(KEY_BYTES), "made_at": now.isoformat()}
    return {"current": name, "keys": {**content["keys"], name: key}}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file as a whole: killed half-way, the old keys are still there."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
