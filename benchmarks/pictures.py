"""Pictures of the docs in few colours, so that the repository stays small."""

from __future__ import annotations

import io

from PIL import Image


def small(content: bytes, colours: int = 128) -> bytes:
    """Return a picture as a PNG in at most so many colours."""
    packed = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(packed, format="PNG", optimize=True)
    return packed.getvalue()
