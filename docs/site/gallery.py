"""Draw the pictures of docs/gallery.md by running its lines: `make gallery` (four minutes)."""

import contextlib
import re
from pathlib import Path

from PIL import Image

__all__ = ["code_of", "draw", "pack"]

PAGE = Path(__file__).resolve().parents[1] / "gallery.md"
LARGEST = 60 * 1024


def code_of(page: Path = PAGE) -> str:
    """Return the Python of a page, from top to bottom."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL))


def draw(folder: Path, code: str) -> None:
    """Run code in a folder, so that its pictures go to `images/gallery/` there."""
    (folder / "images" / "gallery").mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        exec(compile(code, str(PAGE), "exec"), {})


def pack(picture: Path) -> None:
    """Write a PNG with at most 256 colours, and as many as fit into 60 KiB."""
    with Image.open(picture) as image:
        drawn = image.convert("RGB")
    for colours in (256, 64, 16):
        drawn.quantize(colours, dither=Image.Dither.NONE).save(picture, optimize=True)
        if picture.stat().st_size <= LARGEST:
            return


if __name__ == "__main__":
    draw(PAGE.parent, code_of())
    for picture in sorted((PAGE.parent / "images" / "gallery").glob("*.png")):
        pack(picture)
        print(f"{picture.name}: {picture.stat().st_size / 1024:.0f} KiB")
