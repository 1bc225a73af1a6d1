"""What could tell who ran a study, its removal and that of texts: for double-blind review, and for private data."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import html
import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolkit.component import Config
from toolkit.ledger.archive import texts
from toolkit.ledger.container import ArchiveError
from toolkit.ledger.parquet import write_parquet
from toolkit.ledger.rows import SCHEMAS, Row

NOWHERE = "http://server.invalid/v1"
"""What stands for a server's address in an anonymous archive."""

_NOBODY = {"root", "user", "admin", "ubuntu", "debian", "runner", "jovyan", "docker", "node"}
_NOBODY |= {"localhost", "localdomain"}
_SHORT = 3
_ROLES = ("AUTHOR", "COMMITTER")


def identity() -> Mapping[str, str]:
    """What names the person and the machine: each word with what it is. Words that name nobody are left out."""
    words = {Path.home().as_posix(): "the home folder"}
    told = [("the user's name", name) for name in _logins()] + [("git's user", name) for name in _git()]
    host = socket.gethostname()
    told += [("the host's name", name) for name in (host, host.partition(".")[0])]
    for what, word in told:
        if len(word) >= _SHORT and word.lower() not in _NOBODY:
            words.setdefault(word, what)
    return words


def _logins() -> Iterable[str]:
    yield from filter(None, (os.environ.get(name) for name in ("USER", "LOGNAME", "USERNAME")))
    try:
        yield getpass.getuser()
    except (OSError, KeyError):
        return  # this system knows no name for the user


def _git() -> Iterable[str]:
    """Who git would say made a commit here: by its environment, and by every file of its configuration."""
    yield from filter(None, (os.environ.get(f"GIT_{who}_{what}") for who in _ROLES for what in ("NAME", "EMAIL")))
    for name in ("user.name", "user.email"):
        command = ["git", "config", "--get-all", name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError):
            return  # there is no git here, hence no identity of its
        yield from filter(None, map(str.strip, done.stdout.splitlines()))


def search(members: Mapping[str, bytes], words: Mapping[str, str]) -> None:
    """Refuse members that hold any of the words.

    Raises
    ------
    ArchiveError
        Naming every member and what was found in it, never the word itself.
    """
    found = dict[str, None]()
    patterns = [(what, _whole(word)) for word, what in words.items()]
    for name, text in texts(members):
        found |= dict.fromkeys(f"{name}: {what}" for what, pattern in patterns if pattern.search(text))
    if found:
        raise ArchiveError(
            f"the archive would tell who made it: {'; '.join(found)}. Remove it there (code), or pack with --redact "
            "(texts), or have the data without it; nothing was written"
        )


def _whole(word: str) -> re.Pattern[str]:
    """A word by itself, also as JSON and HTML spell it."""
    spelt = "|".join(re.escape(one) for one in {word, json.dumps(word)[1:-1], html.escape(word)})
    return re.compile(rf"(?<![A-Za-z0-9])(?:{spelt})(?![A-Za-z0-9])", re.IGNORECASE)


def servers(table: Config) -> dict[str, str]:
    """Addresses of the servers that a study's tables name, and their hosts, with what stands for them."""
    found = dict[str, str]()
    judges = [one for one in table["study"].get("scorers", ()) if isinstance(one, dict)]
    for part in (one.get("lm") for one in (table["study"], *table["arms"], *judges)):
        address = part.get("api_base") if isinstance(part, dict) else ""
        if address:
            found |= {str(address): NOWHERE, urlsplit(str(address)).netloc: "server.invalid"}
            found |= {urlsplit(str(address)).hostname or "": "server.invalid"}
    return {old: new for old, new in found.items() if old}


def nameless(table: Config) -> Config:
    """A study's tables without addresses of servers; texts stay as they are, for prompts are made of them."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            held = {key: plain(one) for key, one in value.items()}
            return held | ({"api_base": NOWHERE} if held.get("api_base") else {})
        return [plain(one) for one in value] if isinstance(value, list) else value

    found: Config = plain(table)
    return found


def anonymised(value: Any, swaps: Mapping[str, str]) -> Any:
    """Plain values in which absolute paths keep their last part only, and every text of ``swaps`` is another."""
    from toolkit.report.page import portable

    if isinstance(value, str):
        for old, new in swaps.items():
            value = value.replace(old, new)
        return portable(value.replace(Path.home().as_posix(), "~"))
    if isinstance(value, Mapping):
        return {key: anonymised(one, swaps) for key, one in value.items()}
    return [anonymised(one, swaps) for one in value] if isinstance(value, list | tuple) else value


def salt(tables: Iterable[bytes]) -> bytes:
    """What keeps hashes of short texts from being guessed: known only to who has the texts, the same every time."""
    taken = hashlib.sha256(b"redact")
    for body in tables:
        taken.update(hashlib.sha256(body).digest())
    return taken.digest()


def redacted_table(name: str, body: bytes, secret: bytes) -> bytes:
    """A table of episodes or calls in which every text of data, prompts, answers is a hash; equal texts stay equal."""
    kind = Path(name).stem
    hide = _Hide(secret)
    return rewritten(name, body, hide.episode if kind == "episodes" else hide.call)


def rewritten(name: str, body: bytes, change: Any) -> bytes:
    """A table with every row put through ``change``."""
    import pyarrow.parquet as pq

    rows: list[Row] = pq.read_table(BytesIO(body)).to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.parquet")
        write_parquet([change(_mapped(row)) for row in rows], path, SCHEMAS[Path(name).stem])
        return path.read_bytes()


def _mapped(row: Row) -> Row:
    """Maps as mappings: Parquet hands them out as pairs."""
    maps = {key: dict(row[key]) for key in ("inputs", "scores") if row.get(key) is not None}
    return {**row, **maps}


class _Hide:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, text: str | None) -> str | None:
        if not text:
            return text
        return hmac.new(self._secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]

    def episode(self, row: Row) -> Row:
        plain = {name: self(row.get(name)) for name in ("answer", "correction", "critique", "user", "session", "error")}
        turns = [{**turn, "answer": self(turn["answer"])} for turn in row["turns"]]
        if row.get("preferred"):
            row = {**row, "preferred": [self(one) for one in row["preferred"]]}
        if row.get("weighed"):
            row = {**row, "weighed": {**row["weighed"], "answer": self(row["weighed"]["answer"])}}
        return {**row, **plain, "inputs": {name: self(text) for name, text in row["inputs"].items()}, "turns": turns}

    def call(self, row: Row) -> Row:
        plain = {name: self(row.get(name)) for name in ("answer", "response", "error", "hash")}
        return {**row, **plain, "prompt": [{**turn, "text": self(turn["text"])} for turn in row["prompt"]]}
