"""A resident's photo made anew from its pixels: nothing of the file that was sent is kept.

So neither the position in its EXIF nor anything hidden in or behind the image goes further, and what is no image at all
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore

from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field

from petitions.data import load
from petitions.errors import PetitionError

_RULES = Path(__file__).with_name("photos.yml")
# A photo takes up to some hundred megabytes while it is decoded.
_DECODING = BoundedSemaphore(2)
# Start of scan; in the data of a scan the first of these bytes never stands before the second.
_SCAN = b"\xff\xda"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Size(_Strict):
    """The longer edge in pixels, and the quality of the JPEG, 1 to 95."""

    edge: int
    quality: int = Field(ge=1, le=95)


class PhotoRules(_Strict):
    """The rules of photos.yml."""

    as_of: date
    most: int
    limit_bytes: int
    pixels: Mapping[str, int]
    scans: int
    large: Size
    small: Size
    staged_hours: int
    source: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo as it is kept: two JPEGs without any metadata, and the width and height of the first."""

    large: bytes
    small: bytes
    width: int
    height: int


@cache
def own_photos() -> PhotoRules:
    """The rules beside the code."""
    return load(_RULES, PhotoRules)


def too_large() -> PetitionError:
    """What a photo with more bytes than may be sent is refused with."""
    return PetitionError("photo_too_large", megabytes=str(own_photos().limit_bytes // 1024**2))


def redraw(content: bytes) -> Picture:
    """The photo in these bytes, upright, on white, in the two sizes that are kept.

    Raises:
        PetitionError: `photo_too_large`, `photo_too_many_pixels`, `photo_wrong_type` when it is neither JPEG nor PNG,
            `photo_unreadable` when it is damaged or was cut off.
    """
    rules = own_photos()
    if len(content) > rules.limit_bytes:
        raise too_large()
    if content.count(_SCAN) > rules.scans and not content.startswith(b"\x89PNG"):
        raise PetitionError("photo_unreadable")
    with _DECODING:
        try:
            return _redrawn(content, rules)
        except PetitionError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PetitionError("photo_too_many_pixels") from error
        except UnidentifiedImageError as error:
            raise PetitionError("photo_wrong_type") from error
        except Exception as error:  # decoders raise whatever a damaged file leads them to
            raise PetitionError("photo_unreadable") from error


def _redrawn(content: bytes, rules: PhotoRules) -> Picture:
    with Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
        # Photos of some phones are MPO: a JPEG with more images behind the first.
        if image.width * image.height > rules.pixels["PNG" if image.format == "PNG" else "JPEG"]:
            raise PetitionError("photo_too_many_pixels")
        # libjpeg can leave out most pixels while it decodes.
        image.draft("RGB", (rules.large.edge, rules.large.edge))
        ImageOps.exif_transpose(image, in_place=True)
        image.thumbnail((rules.large.edge, rules.large.edge))
        layers = image.convert("RGBA")
    # A new image: what is saved of the old one would bring its comments along.
    plain = Image.new("RGB", layers.size, "white")
    plain.paste(layers, mask=layers)
    large = _jpeg(plain, rules.large)
    width, height = plain.size
    plain.thumbnail((rules.small.edge, rules.small.edge))
    return Picture(large, _jpeg(plain, rules.small), width, height)


def _jpeg(image: Image.Image, size: Size) -> bytes:
    content = BytesIO()
    image.save(content, "JPEG", quality=size.quality, optimize=True)
    return content.getvalue()
