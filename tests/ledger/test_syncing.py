"""Rows are put on the disk beside the work: soon, never too many at risk, and what the disk refuses is raised."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from toolkit.component import digest
from toolkit.ledger import store, syncing
from toolkit.ledger.disk import Unwritable
from toolkit.ledger.log import Log, read_log
from toolkit.ledger.rows import content
from toolkit.ledger.syncing import ROWS, Sync, Syncer

PATIENCE = 60.0
"""Seconds after which a test fails; none waits for so long otherwise."""


class Disk:
    """A disk that puts things down only while it is let go, and tells what it has put down."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.asked: list[int] = []
        self.done: list[int] = []
        self.error: OSError | None = None
        self.go.set()

    def fdatasync(self, descriptor: int) -> None:
        """In place of the system's."""
        self.asked.append(descriptor)
        self.begun.set()
        assert self.go.wait(PATIENCE)
        os.fstat(descriptor)  # fails where it was closed meanwhile
        self.done.append(descriptor)
        if self.error is not None:
            raise self.error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk under a thread of its own: what other tests left to sync is not counted."""
    found = Disk()
    monkeypatch.setattr(syncing, "_syncer", Syncer())
    monkeypatch.setattr(syncing.os, "fdatasync", found.fdatasync)
    yield found
    found.go.set()


@pytest.fixture
def log(tmp_path: Path, disk: Disk) -> Iterator[Log]:
    found = Log(tmp_path / "calls.jsonl")
    yield found
    disk.go.set()
    with suppress(Unwritable):  # ended, not only closed: its thread outlives the test, and would sync on the next disk
        found.close()


def many(log: Log, rows: int) -> None:
    for number in range(rows):
        log.append({"n": number})


def lines(log: Log) -> int:
    return log.path.read_bytes().count(b"\n")


class Writer:
    """A thread that writes rows; says how many it has written, and when it is held up by the log."""

    def __init__(self, log: Log, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits = threading.Event()
        self._thread = threading.Thread(target=many, args=(log, rows), daemon=True)
        changed = log._sync._changed
        plain = changed.wait

        def wait(timeout: float | None = None) -> bool:
            self.waits.set()
            return plain(timeout)

        monkeypatch.setattr(changed, "wait", wait)
        self._thread.start()

    def ends(self) -> bool:
        """Wait for its end."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()


def test_a_run_goes_on_while_its_rows_are_synced_but_not_beyond_what_may_be_lost(
    disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.go.clear()
    writer = Writer(log, 3 * ROWS, monkeypatch)
    assert writer.waits.wait(PATIENCE)
    assert disk.begun.wait(PATIENCE)
    assert disk.done == []
    assert lines(log) == ROWS
    disk.go.set()
    assert writer.ends()
    assert lines(log) == 3 * ROWS
    log.close()
    assert len(disk.done) >= 3


def test_rows_that_are_on_the_disk_count_no_more(disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the rows are put down; then as many as may be lost are written before anybody waits."""
    sync = log._sync
    many(log, ROWS // 2)
    with sync._changed:
        assert sync._changed.wait_for(lambda: not sync._new and not sync._under_way, PATIENCE)
    disk.go.clear()
    disk.begun.clear()
    writer = Writer(log, 2 * ROWS, monkeypatch)
    assert writer.waits.wait(PATIENCE)
    assert lines(log) == ROWS // 2 + ROWS
    disk.go.set()
    assert writer.ends()


def test_half_of_what_may_be_lost_is_synced_at_once(disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "SECONDS", 1e6)
    many(log, ROWS // 2 - 1)
    assert not disk.begun.is_set()
    many(log, 1)
    assert disk.begun.wait(PATIENCE)


def test_a_row_is_synced_though_none_follows_it(disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "SECONDS", 0.01)
    log.append({"n": 0})
    assert disk.begun.wait(PATIENCE)
    disk.begun.clear()
    log.append({"n": 1})
    assert disk.begun.wait(PATIENCE)


def test_rows_of_two_logs_are_both_synced_though_none_follows(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "SECONDS", 0.01)
    over, carried, seen = threading.Event(), Sync.carry_out, set()

    def carry_out(sync: Sync) -> None:
        carried(sync)
        seen.update(disk.done)
        if len(seen) == 2:
            over.set()

    monkeypatch.setattr(Sync, "carry_out", carry_out)
    logs = [Log(tmp_path / name) for name in ("a", "b")]
    for log in logs:
        log.append({"n": 0})
    assert over.wait(PATIENCE)
    for log in logs:
        log.close()


def test_no_row_waits_longer_than_it_may() -> None:
    """The first of a log sets the time, and no later one puts it off."""
    assert (ROWS, syncing.SECONDS) == (64, 1.0)
    syncer, before = Syncer(), syncing.time.monotonic()
    syncer._serve = lambda: None  # type: ignore[method-assign]
    for sync in (first := Sync(1), Sync(2)):
        syncer.soon(sync)
    due = list(syncer._later.values())
    assert before + 0.8 <= due[0] <= due[1] <= syncing.time.monotonic() + 0.8
    syncer.soon(first)
    assert list(syncer._later.values()) == due


def test_syncs_are_carried_out_in_the_order_they_were_asked_for(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "SECONDS", 1e6)
    disk.go.clear()
    logs = [Log(tmp_path / name) for name in ("a", "b", "c")]
    for log in logs:
        many(log, ROWS // 2)
        assert disk.begun.wait(PATIENCE)  # of the first; the others are held up behind it
    disk.go.set()
    logs[2]._sync._changed.acquire()
    logs[2]._sync._changed.wait_for(lambda: not (logs[2]._sync._new or logs[2]._sync._under_way), PATIENCE)
    logs[2]._sync._changed.release()
    assert disk.done == [log._file.fileno() for log in logs]
    for log in logs:
        log.close()


def test_what_the_disk_refused_is_raised_by_the_next_row_and_by_the_end(
    disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.error = OSError(errno.EIO, "the disk is broken")
    disk.go.clear()
    writer = Writer(log, ROWS, monkeypatch)
    assert writer.ends()
    disk.go.set()
    for _ in range(2):  # whoever swallows it hears it again
        with pytest.raises(Unwritable, match="the disk is broken"):
            log.append({"n": -1})
        assert lines(log) == ROWS
    disk.error = None  # it takes more now, but what it lost is lost
    with pytest.raises(Unwritable, match="the disk is broken"):
        log.close()
    assert log._file.closed


def test_what_the_disk_refuses_at_the_end_is_raised(disk: Disk, log: Log) -> None:
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    log.append({"n": 0})
    with pytest.raises(Unwritable, match="make room"):
        log.close()
    assert log._file.closed


def test_an_end_waits_for_the_sync_that_is_under_way(disk: Disk, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor that was closed may be another file's by the time that it is used."""
    monkeypatch.setattr(syncing, "SECONDS", 1e6)
    waits, plain = threading.Event(), log._sync._changed.wait

    def wait(timeout: float | None = None) -> bool:
        waits.set()
        return plain(timeout)

    disk.go.clear()
    many(log, ROWS // 2)
    assert disk.begun.wait(PATIENCE)
    monkeypatch.setattr(log._sync._changed, "wait", wait)
    ending = threading.Thread(target=log.close, daemon=True)
    ending.start()
    assert waits.wait(PATIENCE)
    assert not log._file.closed
    disk.go.set()
    ending.join(PATIENCE)
    assert log._file.closed
    assert len(disk.asked) == len(disk.done) == 2
    log.close()
    assert len(disk.asked) == 2


def test_an_end_without_rows_under_way_closes_before_the_thread_comes_to_it(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "SECONDS", 1e6)
    log = Log(tmp_path / "a")
    many(log, 3)
    descriptor = log._file.fileno()
    log.close()
    assert disk.done == [descriptor]
    log._sync.carry_out()
    assert disk.asked == [descriptor]


def test_a_derived_log_is_synced_at_its_end_only(disk: Disk, tmp_path: Path) -> None:
    log = Log(tmp_path / "episodes.jsonl", derived=True)
    many(log, 5 * ROWS)
    assert not disk.begun.is_set()
    log.close()
    assert len(disk.done) == 1
    assert [row["n"] for row in read_log(log.path)] == list(range(5 * ROWS))


def test_the_tape_of_a_run_is_synced_and_its_episodes_are_derived(tmp_path: Path) -> None:
    folder = store.RunFolder(tmp_path / "run", record())
    folder.open()
    assert {log.path.name: log._derived for log in folder._logs} == {"calls.jsonl": False, "episodes.jsonl": True}
    folder.close()


def record() -> store.RunRecord:
    return store.run_record({name: "" for name in store.RUN} | {"traits": []})


def test_a_fork_syncs_too(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        parents = Sync(file.fileno())
        parents.wrote()  # the parent's thread is there
        child = os.fork()
        if not child:
            signal.alarm(int(PATIENCE))
            log = Log(tmp_path / "b")
            many(log, 3 * ROWS)  # would wait for ever for a thread that the fork has not
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        parents.close()
    assert (tmp_path / "b").read_bytes().count(b"\n") == 3 * ROWS


def test_the_hash_is_that_of_all_rows_at_once(tmp_path: Path) -> None:
    folder = store.RunFolder(tmp_path / "run", record())
    folder.open()
    rows = [{"run": "r", "t": n, "answer": "é\ud83d", "acting_reasoning_tokens": n, "x_seconds": 1.0} for n in range(3)]
    for count in range(4):
        assert folder.hash("state") == digest([[content(row) for row in rows[:count]], "state"])
        if count < 3:
            folder.episode(rows[count])
    folder.close()
