"""Take anew the pictures that pages show, while the tests use JupyterLab in a browser: ``python docs/pictures.py``.

A picture that a page shows as ``images/NAME.png`` is the one that a test of ``tests/browser`` takes by that name. It is
kept with 128 colours, which leave text as sharp and make the file a third as large.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
TESTS = DOCS.parent / "tests" / "browser"
_TAKEN = re.compile(r'shoot\("([^"]+)"\)')
_SHOWN = re.compile(r"images/([^/)]+)\.png")


def shown() -> set[str]:
    """The names of all pictures on pages."""
    return {name for page in DOCS.rglob("*.md") for name in _SHOWN.findall(page.read_text(encoding="utf-8"))}


def taken() -> dict[str, Path]:
    """Which test takes which picture."""
    return {name: test for test in TESTS.glob("test_*.py") for name in _TAKEN.findall(test.read_text(encoding="utf-8"))}


def main() -> None:
    """Run the tests that take what is shown, and keep their pictures."""
    tests = sorted({str(taken()[name]) for name in shown()})
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pytest", *tests], env=os.environ | {"TOOLKIT_SCREENSHOTS": folder}, check=True
        )
        (DOCS / "images").mkdir(exist_ok=True)
        for name in sorted(shown()):
            with Image.open(Path(folder) / f"{name}.png") as picture:
                few = picture.convert("RGB").quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(DOCS / "images" / f"{name}.png", optimize=True)
            print(f"docs/images/{name}.png")


if __name__ == "__main__":
    main()
