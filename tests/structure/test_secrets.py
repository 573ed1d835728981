"""No file of the repository holds a secret."""

import math
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What is known by its shape, and what stands as a value behind a telling name and looks random.
SHAPES = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
    "token of the product": re.compile(r"\bsqt_[A-Za-z0-9_-]{40,}"),
    "cloud key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bLTAI[0-9A-Za-z]{16,}\b|\bAKID[0-9A-Za-z]{32}\b"),
    "token of a code host": re.compile(
        r"\bgh[pousr]_[0-9A-Za-z]{36}\b|\bglpat-[0-9A-Za-z_-]{20}\b|\bgithub_pat_\w{50,}"
    ),
    "token of a chat": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}"),
    "signed token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
    "password in an address": re.compile(
        r"\b[a-z][a-z0-9+]*://[^\s:/@'\"{}$<]*:(?!\*|geheim\b)[^\s:/@'\"{}$<]{3,}@[\w.-]+"
    ),
}
NAMED = re.compile(
    r"(?i)\b\w*(?:secret|password|passwd|api_?key|aes_?key|private_?key|token)\w*['\"]?\s*[:=]\s*['\"]([A-Za-z0-9+/=_-]{20,})['\"]"
)
# In bits a sign: words and repeated letters lie below, random letters and digits above.
RANDOM_BITS = 3.7
# Tencent's published samples; checksums of packages.
PUBLIC = {"tests/vectors/wechat.json", "package-lock.json"}


def is_random(value):
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) > RANDOM_BITS


def secrets_in(text):
    yield from (kind for kind, shape in SHAPES.items() if shape.search(text))
    yield from ("random value" for found in NAMED.finditer(text) if is_random(found[1]))


def tracked_texts():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if name not in PUBLIC and b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace")


def test_no_tracked_file_holds_a_secret():
    texts = dict(tracked_texts())
    assert len(texts) > 400
    assert not {name: found for name, text in texts.items() if (found := list(secrets_in(text)))}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("private key", "-----BEGIN " + "RSA PRIVATE KEY-----"),
        ("private key", "-----BEGIN " + "PRIVATE KEY-----"),
        ("token of the product", "sqt_" + "aB3-" * 11),
        ("cloud key", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("cloud key", "LTAI" + "5tAbCdEfGhIjKlMnOp"),
        ("token of a code host", "ghp_" + "a1B2" * 9),
        ("token of a chat", "xoxb-" + "123456789012"),
        ("signed token", "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "a" * 30),
        ("password in an address", "postgresql://user:" + "hunter22@db/name"),
        ("random value", 'app_secret = "' + "9f8b7c6d5e4a3f2b1c0d9e8f7a6b5c4d" + '"'),
        ("random value", '"aes_key": "' + "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C" + '"'),
    ],
)
def test_a_secret_is_found(kind, text):
    assert kind in list(secrets_in(text))


@pytest.mark.parametrize(
    "text",
    [
        'secret = b"a secret of thirty-two bytes long"',
        "SUQIUTONG_DATABASE_URL=postgresql://user:***@db/name",
        'token = "aaaaaaaaaaaaaaaaaaaaaaaa"',
        "https://example.org:8443/a@b",
    ],
)
def test_what_is_no_secret_is_not_found(text):
    assert not list(secrets_in(text))
