"""Images as a provider takes them: of a common kind and not too large."""

from __future__ import annotations

import io
import warnings

from .optional import package
from .problems import Unreadable

SIDE = 2_048
"""Pixels of the longer side from which on an image is made smaller: models scale larger ones down themselves."""
PIXELS = 100_000_000


def prepared(data: bytes) -> tuple[bytes, str]:
    """An image as PNG or JPEG with its longer side at most `SIDE` pixels, and its media type.

    Raises:
        Unreadable: damaged, or of more than `PIXELS`.
        ImportError: Pillow is not installed.
    """
    Image, ImageOps = package("PIL.Image"), package("PIL.ImageOps")  # noqa: N806 - modules
    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open(io.BytesIO(data))
        if max(image.size) > SIDE:
            image.draft("RGB", (SIDE, SIDE))  # JPEG can be decoded smaller
        image = ImageOps.exif_transpose(image)
        image.thumbnail((SIDE, SIDE))
        opaque = image.mode in ("RGB", "L", "CMYK", "YCbCr")
        buffer = io.BytesIO()
        if opaque and data[:3] == b"\xff\xd8\xff":
            image.convert("RGB").save(buffer, "JPEG", quality=90)
            return buffer.getvalue(), "image/jpeg"
        image.convert("RGB" if opaque else "RGBA").save(buffer, "PNG")
        return buffer.getvalue(), "image/png"
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(f"the image has more than {PIXELS:,} pixels") from None
    except Exception as error:  # noqa: BLE001 - image decoders let anything through that a damaged file provokes
        raise Unreadable(f"the image is damaged ({type(error).__name__}: {str(error)[:200]})") from None
