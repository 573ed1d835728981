"""A photo is made anew from its pixels; what is no photo, too large or damaged is refused."""

from io import BytesIO

import pytest
from PIL import Image

from petitions.errors import PetitionError
from petitions.images import own_photos, redraw
from tests.photos import photo, png_that_claims, saved, told_where

GIF = saved(Image.new("P", (8, 8)), "GIF")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def image_of(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def test_position_maker_comment_and_all_else_are_gone_and_the_photo_stands_upright() -> None:
    sent = told_where()
    assert image_of(sent).getexif().get_ifd(0x8825)
    made = redraw(sent)
    assert (made.width, made.height) == (40, 80)
    for content in (made.large, made.small):
        image = image_of(content)
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not [word for word in (b"Exif", b"PhoneMaker", b"secret", b"xmp") if word in content]
    top, bottom = (image_of(made.large).getpixel((20, y)) for y in (10, 70))
    assert top[0] > 200 > 60 > top[2]
    assert bottom[2] > 200 > 60 > bottom[0]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "RGB", "1"])
def test_every_kind_of_png_becomes_a_jpeg(mode: str) -> None:
    made = redraw(saved(Image.new(mode, (20, 10)), "PNG"))
    image = image_of(made.large)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (20, 10))


def test_what_is_transparent_becomes_white() -> None:
    made = redraw(saved(Image.new("RGBA", (20, 10), (0, 0, 0, 0)), "PNG"))
    assert min(image_of(made.large).getpixel((10, 5))) > 250


def test_a_cmyk_jpeg_and_one_with_more_images_behind_it_are_photos() -> None:
    assert image_of(redraw(saved(Image.new("CMYK", (20, 10)), "JPEG")).large).mode == "RGB"
    first, second = Image.new("RGB", (20, 10), "red"), Image.new("RGB", (30, 10), "blue")
    several = saved(first, "MPO", save_all=True, append_images=[second])
    assert redraw(several).width == 20


def test_a_large_photo_is_made_smaller_and_a_small_one_stays() -> None:
    rules = own_photos()
    made = redraw(photo(size=(3000, 1500)))
    assert (made.width, made.height) == (rules.large.edge, rules.large.edge // 2)
    assert image_of(made.small).size == (rules.small.edge, rules.small.edge // 2)
    assert image_of(redraw(photo()).small).size == (64, 48)


def test_the_same_photo_gives_the_same_bytes() -> None:
    assert redraw(photo()) == redraw(photo())


@pytest.mark.parametrize(
    "content",
    [
        GIF,
        SVG,
        HTML,
        b"",
        b"PK\x03\x04",
        saved(Image.new("RGB", (8, 8)), "WEBP"),
        saved(Image.new("RGB", (8, 8)), "BMP"),
    ],
)
def test_what_is_neither_jpeg_nor_png_is_refused(content: bytes) -> None:
    with pytest.raises(PetitionError) as refused:
        redraw(content)
    assert refused.value.code == "photo_wrong_type"


@pytest.mark.parametrize("hidden", [HTML, SVG, GIF, b"PK\x03\x04 archive"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_hides_behind_a_photo_is_not_kept(hidden: bytes, kind: str) -> None:
    made = redraw(photo(kind=kind) + hidden)
    assert hidden not in made.large + made.small


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_that_was_cut_off_is_refused(kind: str) -> None:
    noise = Image.effect_noise((200, 200), 80).convert("RGB")
    whole = saved(noise, kind)
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(PetitionError) as refused:
            redraw(whole[: int(len(whole) * share)])
        assert refused.value.code == "photo_unreadable"


@pytest.mark.parametrize(("width", "height"), [(5000, 4000), (60000, 60000), (20000, 9000)])
def test_a_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    with pytest.raises(PetitionError) as refused:
        redraw(png_that_claims(width, height))
    assert refused.value.code == "photo_too_many_pixels"


def test_too_many_bytes_and_too_many_scans_are_refused() -> None:
    rules = own_photos()
    with pytest.raises(PetitionError) as large:
        redraw(photo() + b"\0" * rules.limit_bytes)
    assert large.value.code == "photo_too_large"
    assert "5MB" in large.value.message
    with pytest.raises(PetitionError) as many:
        redraw(photo() + b"\xff\xda" * rules.scans)
    assert many.value.code == "photo_unreadable"
