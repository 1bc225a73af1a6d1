"""Syncs run beside the work: one at a time, in order, and what the disk refuses is raised."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from toolkit.component import digest
from toolkit.ledger import store, syncing
from toolkit.ledger.disk import Unwritable
from toolkit.ledger.log import Log
from toolkit.ledger.rows import content
from toolkit.ledger.syncing import Sync


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch):
    """Syncs that wait to be let go; each says so when it is over."""
    go, done = threading.Event(), list[int]()

    def fdatasync(descriptor: int) -> None:
        go.wait()
        done.append(descriptor)

    monkeypatch.setattr(syncing.os, "fdatasync", fdatasync)
    yield go, done
    go.set()


def many(log: Log, rows: int) -> None:
    for number in range(rows):
        log.append({"n": number})


def test_a_run_goes_on_while_its_rows_are_synced(slow, tmp_path: Path) -> None:
    go, done = slow
    log = Log(tmp_path / "log.jsonl")
    many(log, 2 * store.SYNC_ROWS - 1)
    assert done == []
    assert len((tmp_path / "log.jsonl").read_bytes().splitlines()) == 2 * store.SYNC_ROWS - 1
    go.set()
    log.close()
    assert len(done) == 2


def test_syncs_are_carried_out_in_the_order_they_were_asked_for(slow) -> None:
    go, done = slow
    first, second = Sync(101), Sync(102)
    first.begin()
    second.begin()
    go.set()
    second.wait()
    assert done == [101, 102]


def test_what_the_disk_refused_is_raised_where_the_run_goes_on(monkeypatch, tmp_path: Path) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(syncing.os, "fdatasync", full)
    log = Log(tmp_path / "log.jsonl")
    with pytest.raises(Unwritable, match="the disk is broken"):
        many(log, 3 * store.SYNC_ROWS)
    with pytest.raises(Unwritable, match="the disk is broken"):
        log.close()


def test_a_fork_syncs_too(tmp_path: Path) -> None:
    Sync(os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)).begin()  # the parent's thread is there
    child = os.fork()
    if not child:
        signal.alarm(60)
        own = Sync(os.open(tmp_path / "b", os.O_RDWR | os.O_CREAT))
        own.begin()
        own.wait()  # would wait for ever for a thread that the fork has not
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_the_hash_is_that_of_all_rows_at_once(tmp_path: Path) -> None:
    record = store.run_record({name: "" for name in store.RUN} | {"traits": []})
    folder = store.RunFolder(tmp_path / "run", record)
    folder.open()
    rows = [{"run": "r", "t": n, "answer": "é\ud83d", "acting_reasoning_tokens": n, "x_seconds": 1.0} for n in range(3)]
    for count in range(4):
        assert folder.hash("state") == digest([[content(row) for row in rows[:count]], "state"])
        if count < 3:
            folder.episode(rows[count])
    folder.close()
