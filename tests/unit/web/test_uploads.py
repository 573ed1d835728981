"""A form with files is counted while it arrives, and of too much only that it is too much is kept."""

import asyncio

import pytest
from fastapi import Request

from web.errors import WebError
from web.uploads import files, read_upload

CHUNK = 10_000


def request_of(*contents, told=None):
    head = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    body = head.format("matter", "").encode() + "路灯坏了\r\n".encode()
    for content in contents:
        body += head.format("photos", '; filename="/etc/passwd"').encode() + content + b"\r\n"
    body += b"--x--\r\n"
    pieces = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    headers += [(b"content-length", str(told).encode())] if told else []

    async def receive():
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive), pieces


def read(request, limit_bytes=10**7):
    async def run():
        form = await read_upload(request, limit_bytes, most_files=2, file_limit_bytes=50_000)
        return form["matter"], await files(form, "photos")

    return asyncio.run(run())


def test_fields_and_files_are_there_and_empty_files_are_not():
    request, _ = request_of(b"first", b"\0" * 40_000, b"")
    assert read(request) == ("路灯坏了", [b"first", b"\0" * 40_000])


def test_of_a_large_file_and_of_further_ones_only_a_piece_is_kept():
    request, _ = request_of(b"\0" * 900_000, b"\1" * 30_000, b"\2" * 900_000, b"\3" * 900_000)
    matter, sent = read(request)
    assert matter == "路灯坏了"
    assert 50_000 < len(sent[0]) <= 50_000 + 2 * CHUNK
    assert sent[1] == b"\1" * 30_000
    assert [0 < len(content) <= 2 * CHUNK for content in sent[2:]] == [True, True]


def test_a_body_above_the_limit_is_read_no_further():
    request, left = request_of(b"\0" * 900_000)
    with pytest.raises(WebError) as refused:
        read(request, limit_bytes=100_000)
    assert refused.value.code == "too_large"
    assert len(left) > 70
    request, left = request_of(b"\0" * 900_000, told=900_300)
    count = len(left)
    with pytest.raises(WebError):
        read(request, limit_bytes=100_000)
    assert len(left) == count
