"""The documentation's site: it is built without a warning, fetches nothing, and leaves out no public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from errands import ROOT

import toolkit
import toolkit.stats
from toolkit.experimental import EXPERIMENTAL

REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.md"))
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Elements for which a browser asks somebody, each with the attribute that says whom."""


class Fetches(HTMLParser):
    """What a page would fetch from other machines."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        where = dict(attrs).get(FETCHED.get(tag, "")) or ""
        if re.match(r"(https?:)?//", where):
            self.found.append(where)


def named() -> Iterator[str]:
    """Every name that a reference page shows, as often as it does."""
    for page in REFERENCE:
        yield from re.findall(r"^::: toolkit\.(\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="MkDocs (extra: docs) is not installed")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_every_public_name_stands_on_one_reference_page() -> None:
    shown = Counter(name for name in named() if "." not in name)
    assert shown == Counter(toolkit.__all__)
    statistics = Counter(name.removeprefix("stats.") for name in named() if name.startswith("stats."))
    assert statistics == Counter(toolkit.stats.__all__)


def test_what_is_marked_experimental_is_public() -> None:
    assert set(toolkit.__all__) > EXPERIMENTAL
    assert {"Study", "Arm", "compare", "Retrieval", "Role", "Desk", "table", "Ledger"}.isdisjoint(EXPERIMENTAL)


def test_a_reference_page_says_what_is_stable(site: Path) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    headings = re.findall(r'<h3 id="toolkit\.(\w+)"(.*?)</h3>', pages, re.DOTALL)
    labels = {
        name: found for name, told in headings for found in re.findall(r"<code>(stable|experimental)</code>", told)
    }
    assert labels == {name: "experimental" if name in EXPERIMENTAL else "stable" for name in toolkit.__all__}


def test_nothing_is_fetched_from_another_machine(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        reading = Fetches()
        reading.feed(page.read_text(encoding="utf-8"))
        assert reading.found == [], page
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8"), "the theme fetches what draws it"
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")) == []


def test_links_out_of_the_docs_lead_to_pages_or_are_words(site: Path) -> None:
    page = (site / "finetuning.html").read_text(encoding="utf-8")
    assert 'href="experiments/roles/index.html"' in page
    shown = "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    assert re.findall(r'href="[^":]*\.(?:md|ipynb|py|toml)(?:#[^"]*)?"', shown) == []
    assert 'href="reference/worlds.html#toolkit.WorldStream"' in shown, "a name in a page leads to its reference"
