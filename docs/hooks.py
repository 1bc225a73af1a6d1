"""What the site adds to the pages of ``docs``: READMEs of experiments, and links that lead somewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import toolkit

ROOT = Path(__file__).parents[1]
BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "experiments/**/*.md", "experiments/**/*.png", "experiments/**/*.svg")
_FENCED = re.compile(r"^([ ]*```.*?^[ ]*```[ ]*)$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^()\s#:]+)((?:#[^()\s]*)?)\)")
_NAMED = re.compile(r"(?<![`\[])`tk\.(\w+)(\([^`]*\))?`(?![`\]])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the pages that stand elsewhere, then write out the entries of ``nav`` that have a ``*``."""
    for path in (path for pattern in BESIDE for path in sorted(ROOT.glob(pattern))):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = _written_out(config.nav, pages, set(_named(config.nav)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links out of ``docs`` lead to the page of what they mean, or be words; let public names be links."""
    parts = _FENCED.split(markdown)
    for place in range(0, len(parts), 2):  # every second part is code
        told = _LINK.sub(lambda found: _led(found, page.file, files), parts[place])
        lines = (line if line.startswith("#") else _NAMED.sub(_to_reference, line) for line in told.split("\n"))
        parts[place] = "\n".join(lines)
    return "".join(parts)


def _named(nav: Any) -> Iterator[str]:
    """All pages and patterns of a navigation."""
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else (entry,):
            yield from _named(value) if isinstance(value, list) else (value,)


def _written_out(nav: Any, pages: list[str], named: set[str]) -> list[Any]:
    """The navigation with pages in the place of patterns, without sections that have none."""
    whole: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            sections = {title: _written_out(part, pages, named) for title, part in entry.items()}
            whole += [sections] if all(sections.values()) else []
        elif "*" in entry:
            whole += [page for page in pages if fnmatch(page, entry) and page not in named]
        else:
            whole.append(entry)
    return whole


def _led(found: re.Match[str], file: File, files: Files) -> str:
    """A link of a page as the site has it."""
    words, target, anchor = found.groups()
    path = (Path(file.abs_src_path).parent / target).resolve()
    if not path.exists() or not path.is_relative_to(ROOT):
        return found[0]  # it leads nowhere: the build says so
    if path.is_dir():
        path /= "README.md"
    where = path.relative_to(ROOT).as_posix()
    if where.startswith("notebooks/"):
        where = f"docs/{where.removesuffix('.ipynb')}.html"  # its rendered copy
    where = where.removeprefix("docs/")
    if files.get_file_from_path(where) is None:
        return words
    if words.endswith(".md"):  # a page's title says more than its file's name
        words = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    return f"[{words}]({posixpath.relpath(where, posixpath.dirname(file.src_uri))}{anchor})"


def _to_reference(found: re.Match[str]) -> str:
    name = found[1]
    return f"[{found[0]}][toolkit.{name}]" if name in toolkit.__all__ else found[0]
