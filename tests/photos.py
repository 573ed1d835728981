"""Photos as residents and others send them, made here."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO

from PIL import Image

POSITION = 0x8825
ORIENTATION = 0x0112


@cache
def photo(colour: str = "teal", *, size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> bytes:
    """A plain one."""
    return saved(Image.new("RGB", size, colour), kind)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def told_where() -> bytes:
    """A photo, lying on its side, with all that a phone writes into it: its left half red, its right half blue."""
    image = Image.new("RGB", (80, 40), "red")
    image.paste("blue", (40, 0, 80, 40))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "PhoneMaker"
    exif.get_ifd(POSITION).update({1: "N", 2: (22.0, 45.0, 12.0), 3: "E", 4: (113.0, 55.0, 1.0)})
    return saved(image, "JPEG", exif=exif, comment=b"secret comment", xmp=b"<x:xmpmeta>secret</x:xmpmeta>", quality=95)


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that would be decoded into an image of any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
