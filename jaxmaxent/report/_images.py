"""PNG files embedded in the page."""

from __future__ import annotations

import base64
import struct
from typing import NamedTuple

from jaxmaxent import checks

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DPI = 150
_CSS_DPI = 96
_NARROWEST_PERCENT = 55  # at this percentage of the natural size, letters of a logo are still legible


class Image(NamedTuple):
    """A PNG file for an `img` element.

    Attributes:
        width: pixels of the file.
        height: pixels of the file.
        natural: width at 96 CSS pixels per inch; the picture is never shown wider.
        narrowest: smallest width in CSS pixels; in a narrower window the picture scrolls instead of shrinking.
        base64: the file in base64.
    """

    width: int
    height: int
    natural: int
    narrowest: int
    base64: str


def image(png: bytes) -> Image:
    """Return the sizes and the data that embed a PNG file in the page."""
    width, height = png_size("png", png)
    natural = width * _CSS_DPI // PNG_DPI
    narrowest = natural * _NARROWEST_PERCENT // 100
    return Image(width, height, natural, narrowest, base64.b64encode(png).decode("ascii"))


def png_size(name: str, png: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG file in pixels.

    Both are in the header chunk, which is the first chunk (ISO/IEC 15948).

    Raises:
        ValueError: if `png` is not a PNG file. The message calls the argument `name`.
    """
    if not isinstance(png, bytes) or not png.startswith(PNG_SIGNATURE) or png[12:16] != b"IHDR":
        raise ValueError(f"{name} must be the bytes of a PNG file, got {checks.shown(png)}")
    return struct.unpack(">II", png[16:24])
