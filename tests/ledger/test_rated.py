"""What people said is on the disk at once, keeps every text, and no two raters, or notebooks, lose or mix lines."""

from __future__ import annotations

import fcntl
import multiprocessing
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.ledger.log import LedgerError
from toolkit.ledger.rated import Overtaken, Place, RaterFile, Rating, all_standing, named, standing
from toolkit.ledger.store import Ledger

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ACTS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["rated", "skipped", "undone"])), max_size=12)


@pytest.fixture
def folder(ledger: Ledger) -> Path:
    made = ledger.study("test") / "rated" / "ratings-1"
    made.mkdir(parents=True)
    return made


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS, st.none() | st.floats(allow_nan=False, allow_infinity=False)), max_size=3)
)
def test_whatever_is_said_is_read_as_it_was(told: list[tuple[str, str, str, float | None]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = RaterFile(Path(place), "Ann")
        rows = [
            Rating("ann", item, "rated", said, value, True, why, "now", (Place("r", 1, why),), n)
            for n, (item, said, why, value) in enumerate(told)
        ]
        for n, row in enumerate(rows):
            file.append(row, n)
        assert RaterFile(Path(place), " ANN ").lines() == rows


def test_half_a_character_breaks_no_line(folder: Path) -> None:
    file = RaterFile(folder, "ann")
    file.append(Rating("ann", "i", "skipped", why="cut \ud83d"), 0)
    assert file.lines()[0].why == "cut \ufffd"


@settings(max_examples=15, deadline=None)
@given(WORDS.map(lambda word: word.encode()), st.integers(1, 60))
def test_a_torn_last_line_is_survived(rest: bytes, cut: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = RaterFile(Path(place), "ann")
        file.append(Rating("ann", "one", "rated", "4", 4.0), 0)
        whole = file.path.read_bytes()
        file.path.write_bytes(whole + (whole + rest).replace(b"\n", b"")[:cut])
        assert [one.item for one in file.lines()] == ["one"]
        file.append(Rating("ann", "two", "rated", "2", 2.0), 1)
        assert [(one.item, one.n) for one in file.lines()] == [("one", 0), ("two", 1)]
        assert file.path.read_bytes().startswith(whole)


def test_a_damaged_line_is_told_with_the_way_out(folder: Path) -> None:
    file = RaterFile(folder, "ann")
    file.append(Rating("ann", "one", "rated", "4", 4.0), 0)
    for damage in (b"{nothing\n", b'{"item": "x"}\n'):
        file.path.write_bytes(damage)
        with pytest.raises(LedgerError, match="mend that line, or move this file away"):
            file.lines()


@settings(max_examples=30, deadline=None)
@given(ACTS)
def test_what_stands_is_the_last_thing_done_in_python_and_in_sql(acts: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        ledger = Ledger(place)
        folder = ledger.study("test") / "rated" / "q-1"
        folder.mkdir(parents=True)
        file, last = RaterFile(folder, "ann"), {}
        for n, (item, did) in enumerate(acts):
            file.append(Rating("ann", item, did, str(n), float(n), places=(Place("r", 0),)), n)  # type: ignore[arg-type]
            last[item] = did, str(n)
        kept = standing(file.lines())
        assert {item: (one.did, one.said) for item, one in kept.items()} == {
            item: one for item, one in last.items() if one[0] != "undone"
        }
        frame = ledger.sql("SELECT * FROM ratings")
        assert dict(zip(frame["item"], frame.said, strict=True)) == {
            item: said for item, (did, said) in last.items() if did == "rated"
        }
        assert set(frame.queue) <= {"q-1"}
        assert set(frame.study) <= {"test"}


def many(folder: str, rater: str, items: int) -> None:
    """Rate items one after the other, as a notebook does; whoever is overtaken looks again."""
    file, said = RaterFile(Path(folder), rater), 0
    while said < items:
        seen = len(file.lines())
        try:
            file.append(Rating(rater, f"{rater} {seen}", "rated", str(seen), float(seen)), seen)
            said += 1
        except Overtaken:
            pass


@pytest.mark.parametrize("raters", [("ann", "bob"), ("ann", "ann")])
def test_two_notebooks_at_once_lose_and_mix_nothing(folder: Path, raters: tuple[str, str]) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=many, args=(str(folder), rater, 12)) for rater in raters]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    for rater in set(raters):
        lines = RaterFile(folder, rater).lines()
        assert [one.n for one in lines] == list(range(12 * raters.count(rater)))
        assert {one.rater for one in lines} == {rater}
        assert [one.item for one in lines] == [f"{rater} {n}" for n in range(len(lines))]
    assert len(all_standing(folder)) == 24


def test_nobody_else_writes_between_the_look_and_the_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barred = []

    def look(file: RaterFile) -> list[Rating]:
        with open(folder / "lock", "ab") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                barred.append(file.rater)
        return []

    monkeypatch.setattr(RaterFile, "lines", look)
    RaterFile(folder, "ann").append(Rating("ann", "one", "rated", "4", 4.0), 0)
    assert barred == ["ann"]


def test_who_saw_something_older_records_nothing(folder: Path) -> None:
    file = RaterFile(folder, "ann")
    file.append(Rating("ann", "one", "rated", "4", 4.0), 0)
    before = file.path.read_bytes()
    with pytest.raises(Overtaken, match="nothing was recorded"):
        file.append(Rating("ann", "one", "rated", "1", 1.0), 0)
    assert file.path.read_bytes() == before


def test_names_are_told_apart_as_people_would(folder: Path) -> None:
    assert RaterFile(folder, "Ann  Lee ").path == RaterFile(folder, "ann lee").path
    files = {RaterFile(folder, name).path.name for name in ("ann", "ann/..", "../../ann", "änn", "安", "ann " * 12)}
    assert len(files) == 6
    assert all(Path(name).name == name and name.isascii() for name in files)
    for wrong in ("", "  ", "a\x00b", "a\u202eb", "x" * 61):
        with pytest.raises(ValueError, match="type one"):
            named(wrong)
