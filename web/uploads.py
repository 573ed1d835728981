"""Reading a form with files: counted while it arrives, kept in memory, its file names left unread."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from web.errors import WebError
from web.requests import BODY_LIMIT_BYTES, check_origin, read_form

_MOST_PARTS = 40


class _InMemory(MultiPartParser):
    """Writes nothing that was sent to a disk, and of too much keeps only that it is too much."""

    spool_max_size = 2**30
    most_files = 0
    file_limit_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Keep a piece of a part, unless enough of it is known."""
        file = self._current_part.file
        if file is not None and file.size:
            limit_bytes = 0 if self._current_files > self.most_files else self.file_limit_bytes
            if file.size > limit_bytes:
                return
        super().on_part_data(data, start, end)


async def read_upload(request: Request, limit_bytes: int, *, most_files: int, file_limit_bytes: int) -> FormData:
    """The fields and files of a form; one without files may also come as plain fields.

    Args:
        request: Its body is read no further than the limit, and not at all when it says that it is longer.
        limit_bytes: Of the whole body.
        most_files: Of further ones nothing is kept but that they were there.
        file_limit_bytes: Of one file; of a larger one not much more is kept.

    Raises:
        WebError: the form is too large, malformed, or comes from another site.
    """
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        return await read_form(request)
    check_origin(request)
    told = request.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) > limit_bytes:
        raise WebError("too_large")
    parser = _InMemory(
        request.headers,
        _counted(request, limit_bytes),
        max_files=_MOST_PARTS,
        max_fields=_MOST_PARTS,
        max_part_size=BODY_LIMIT_BYTES,
    )
    parser.most_files, parser.file_limit_bytes = most_files, file_limit_bytes
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise WebError("malformed") from error


async def files(form: FormData, name: str) -> list[bytes]:
    """The files of a field, without those that were left empty; the form holds none of them any longer."""
    sent = [await value.read() for value in form.getlist(name) if isinstance(value, UploadFile)]
    await form.close()
    return [content for content in sent if content]


async def _counted(request: Request, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > limit_bytes:
            raise WebError("too_large")
        yield chunk
