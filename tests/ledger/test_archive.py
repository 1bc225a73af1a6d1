"""Archives: whatever is not what was packed, to the byte, is refused, and the message says where."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import stat
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from errands import finish
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.evaluation.pack import pack, replay_archive
from toolkit.evaluation.study import Study
from toolkit.ledger.archive import MANIFEST, Archive, read_archive, unpack, write_archive
from toolkit.ledger.container import ArchiveError, build
from toolkit.ledger.store import Ledger
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, packed."""
    from toolkit.lm.scripted import Scripted

    root = tmp_path_factory.mktemp("packed")
    arms = [Arm.static(), Arm("m", memory=Retrieval())]
    study = Study("small", Desk(tasks=8), arms=arms, lm=Scripted(), seeds=2, ledger=root / "ledger", tracking="off")
    finish(study)
    return pack(study.ledger, "small", root / "small.zip").path


def spans(raw: bytes) -> dict[str, range]:
    """Which bytes each member has."""
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        found = {}
        for info in file.infolist():
            begin = info.header_offset + 30 + len(info.filename)
            found[info.filename] = range(begin, begin + info.file_size)
        return found


def refusal(path: Path) -> str:
    with pytest.raises(ArchiveError) as caught:
        read_archive(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def forged(path: Path, change: Callable[[dict[str, bytes]], None], listed: bool = True) -> Path:
    """An archive with other members, and with a manifest that fits them unless ``listed`` is False."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    if listed:
        told = json.loads(members.pop(MANIFEST))
        told["members"] = {name: hashlib.sha256(body).hexdigest() for name, body in sorted(members.items())}
        told.pop("digest")
        told["digest"] = hashlib.sha256(canonical(told)).hexdigest()
        members[MANIFEST] = canonical(told)
    made = path.with_name("forged.zip")
    made.write_bytes(b"".join(build(members)))
    return made


def canonical(told: object) -> bytes:
    return json.dumps(told, sort_keys=True, ensure_ascii=True, indent=1).encode() + b"\n"


def test_it_is_a_zip_file_that_any_tool_opens(packed: Path) -> None:
    with zipfile.ZipFile(packed) as file:
        assert file.testzip() is None
        names = file.namelist()
    assert names == sorted(names)
    assert set(names) - {MANIFEST} == read_archive(packed).members.keys()
    assert {Path(name).name for name in names if name.startswith("runs/")} == {
        "run.json",
        "calls.parquet",
        "episodes.parquet",
    }


def test_packing_again_gives_the_same_bytes(packed: Path) -> None:
    again = pack(Ledger(packed.parent / "ledger"), "small", packed.with_name("again.zip")).path
    assert again.read_bytes() == packed.read_bytes()


@given(st.data())
def test_one_byte_changed_is_refused_and_its_member_named(packed: Path, data: st.DataObject) -> None:
    raw = bytearray(packed.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1), "place")
    raw[place] ^= data.draw(st.integers(1, 255), "bits")
    where = [name for name, span in spans(packed.read_bytes()).items() if place in span]
    changed = packed.with_name("changed.zip")
    changed.write_bytes(raw)
    told = refusal(changed)
    assert "member" in told or "archive" in told
    assert all(f"member {name!r} was changed: its checksum does not fit" in told for name in where)
    with pytest.raises(ArchiveError):
        replay_archive(changed)


def test_every_byte_between_the_members_counts(packed: Path) -> None:
    raw = packed.read_bytes()
    inside = {place for span in spans(raw).values() for place in span}
    changed = packed.with_name("header.zip")
    for place in range(len(raw)):
        if place not in inside:
            other = bytearray(raw)
            other[place] ^= 1 << place % 8
            changed.write_bytes(other)
            assert "member" in (told := refusal(changed)) or "archive" in told


@given(st.data())
def test_what_is_cut_off_or_goes_on_is_refused(packed: Path, data: st.DataObject) -> None:
    raw = packed.read_bytes()
    changed = packed.with_name("longer.zip")
    more = data.draw(st.binary(min_size=1, max_size=40), "more")
    length = data.draw(st.integers(0, len(raw) - 1), "length")
    for other in (raw[:length], raw + more, more + raw, raw[:length] + more + raw[length:], raw + raw):
        changed.write_bytes(other)
        assert "member" in (told := refusal(changed)) or "archive" in told


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "code/../../x.py", "C:/x", "code\\x.py", "code//x.py", ".hidden", "code/", "é"],
)
def test_a_name_that_leads_elsewhere_is_refused(packed: Path, name: str) -> None:
    with zipfile.ZipFile(packed) as file:
        members = {one: file.read(one) for one in file.namelist()}
    made = packed.with_name("escaping.zip")
    with zipfile.ZipFile(made, "w") as file:
        for one, body in {name: b"x", **members}.items():
            file.writestr(zipfile.ZipInfo(one), body)
    assert repr(name) in (told := refusal(made)) or "is not ASCII" in told
    with pytest.raises(ArchiveError, match="has a name that is refused"):
        list(build({name: b"x"}))


def test_foreign_missing_and_doubled_members_are_refused(packed: Path) -> None:
    def add(members: dict[str, bytes]) -> None:
        members["control.json"] = b"{}"

    assert "'control.json' is foreign: the manifest does not name it" in refusal(forged(packed, add, listed=False))
    assert "'control.json' is foreign: no study has such a file" in refusal(forged(packed, add))
    without = forged(packed, lambda members: members.pop("plan.json"), listed=False)
    assert "'plan.json' is missing, which the manifest names" in refusal(without)
    assert "'plan.json' is missing: every study" in refusal(forged(packed, lambda members: members.pop("plan.json")))
    assert "'manifest.json' is missing" in refusal(forged(packed, lambda m: m.pop(MANIFEST), listed=False))
    twice = packed.with_name("twice.zip")
    with zipfile.ZipFile(twice, "w") as file:
        for name in ("plan.json", "Plan.json"):
            file.writestr(zipfile.ZipInfo(name), b"{}")
    assert "'Plan.json' occurs twice" in refusal(twice)


def test_a_changed_member_with_a_checksum_that_fits_is_named(packed: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["report.html"] += b" "

    assert "'report.html' was changed: its sha256" in refusal(forged(packed, change, listed=False))


def test_links_compression_and_comments_are_refused(packed: Path) -> None:
    link = zipfile.ZipInfo("study.toml")
    link.external_attr, link.create_system, link.create_version = (stat.S_IFLNK | 0o777) << 16, 3, 10
    link.extract_version = 10
    made = packed.with_name("link.zip")
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(link, b"/etc/passwd")
    raw = made.read_bytes().replace(b"\x14\x00", b"\x0a\x00")  # the versions that 'toolkit pack' writes
    made.write_bytes(raw)
    told = refusal(made)
    assert "'study.toml'" in told
    assert "it is a link" in told
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("report.html", b"0" * 10_000_000)
    assert "'report.html' is compressed" in refusal(made)
    with zipfile.ZipFile(packed) as file:
        members = {name: file.read(name) for name in file.namelist()}
    raw = bytearray(b"".join(build(members)))
    raw[-2:] = (5).to_bytes(2, "little")
    made.write_bytes(raw + b"hello")
    assert "the end of the archive" in refusal(made)


def test_a_table_that_would_grow_beyond_measure_is_refused(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.ledger.archive._BYTES", 1 << 20)

    def swell(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("calls.parquet"))
        table = pa.table({"run": pa.array([str(number % 7) * 4000 for number in range(1000)])})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, use_dictionary=False, compression="zstd")
        members[name] = buffer.getvalue()
        assert len(members[name]) < 40_000

    assert "would grow to 1000 rows" in (told := refusal(forged(packed, swell)))
    assert "calls.parquet" in told


def test_a_text_that_stands_once_and_is_the_value_of_every_row_is_counted_as_often(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.ledger.archive._BYTES", 1 << 23)

    def swell(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("calls.parquet"))
        same = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 100_000]))
        buffer = io.BytesIO()
        pq.write_table(pa.table({"run": same}), buffer, compression="zstd", store_schema=False)
        told = pq.ParquetFile(io.BytesIO(buffer.getvalue())).metadata.row_group(0).total_byte_size
        assert told < 1 << 20  # what the file says of itself, which would be ten thousand million in memory
        members[name] = buffer.getvalue()

    assert "would grow to 100000 rows" in refusal(forged(packed, swell))


def test_tables_that_are_none_or_have_foreign_columns_are_refused(packed: Path) -> None:
    def replace(body: bytes) -> Callable[[dict[str, bytes]], None]:
        def change(members: dict[str, bytes]) -> None:
            members[next(name for name in members if name.endswith("episodes.parquet"))] = body

        return change

    assert "is no Parquet file" in refusal(forged(packed, replace(b"PAR1 no PAR1")))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"other": [1]}), buffer)
    assert "has a column that is foreign: 'other'" in refusal(forged(packed, replace(buffer.getvalue())))


@pytest.mark.parametrize("what", ["archive", "format"])
def test_a_version_that_is_not_known_is_refused(packed: Path, what: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = members[MANIFEST].replace(f'"{what}": 1'.encode(), f'"{what}": 9'.encode())

    assert f"{what} version 9 is not known here" in refusal(forged(packed, change))


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"runs": [{"folder": "../../x"}], "study": "small"}', b"[" * 100_000])
def test_a_plan_that_is_none_or_leads_elsewhere_is_refused(packed: Path, text: bytes) -> None:
    assert "'plan.json'" in refusal(forged(packed, lambda members: members.update({"plan.json": text})))


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("member", "body"),
    [
        ("study.toml", b"[study]\n"),
        ("study.toml", b"study = [1]\narms = []\n"),
        ("study.toml", b"a = " + DEEP),
        ("study.toml", b"a = " + b"9" * 5000),
        ("study.toml", b"\xff"),
        ("run.json", b"nothing"),
        ("run.json", DEEP),
        ("stream-0.json", DEEP),
        ("stream-0.json", b"{}"),
    ],
)
def test_files_that_make_no_study_are_one_clear_error(packed: Path, member: str, body: bytes) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[next((name for name in members if name.endswith(member)), member)] = body

    with pytest.raises(ArchiveError, match="its files do not make a study"):
        replay_archive(forged(packed, change))


@pytest.mark.parametrize(
    "stream",
    [
        {"use": "Table", "data": "/etc/hostname", "inputs": "a", "answer": "b"},
        {"use": "Table", "data": "../../elsewhere.csv", "inputs": "a", "answer": "b"},
        {"use": "Conversations", "path": "~/diary.json"},
        {"use": "Drawn", "of": {"use": "Conversations", "path": "/dev/zero"}},
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_data_of_an_archive_lie_beside_it(packed: Path, stream: dict[str, object], second: bool) -> None:
    def change(members: dict[str, bytes]) -> None:
        table = tomllib.loads(members["study.toml"].decode())
        table |= {"study": table["study"] | {"second_pass": stream}} if second else {"stream": stream}
        members["study.toml"] = tomli_w.dumps(table).encode()

    with pytest.raises(ArchiveError, match=r"names data at '.+', which leads out of the archive's folder"):
        replay_archive(forged(packed, change))


ELSEWHERE = {"name": "openai/stub", "api_base": "http://elsewhere.example/v1", "key_env": "PLANTED_KEY"}


@pytest.mark.parametrize("part", ["lm", "embedder", "scorer"])
def test_replaying_an_archive_asks_nobody_whatever_its_study_names(
    packed: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def change(members: dict[str, bytes]) -> None:
        table = tomllib.loads(members["study.toml"].decode())
        if part == "lm":
            table["study"]["lm"] = table["arms"][1]["lm"] = {"use": "Hosted", **ELSEWHERE}
        elif part == "embedder":
            table["arms"][1]["memory"]["embedder"] = {"use": "HostedEmbedder", **ELSEWHERE}
        else:
            table["study"]["scorers"] = [{"use": "Judge", "lm": {"use": "Hosted", **ELSEWHERE}}]
        members["study.toml"] = tomli_w.dumps(table).encode()

    asked: list[object] = []
    monkeypatch.setenv("PLANTED_KEY", "sk-planted-0123456789")
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **named: asked.append(given))
    bad = forged(packed, change)
    if part == "scorer":
        with pytest.raises(ArchiveError, match="do not make a study"):
            replay_archive(bad)
    else:
        assert replay_archive(bad).identical == (part == "lm")  # the tape knows no vectors from elsewhere
    assert asked == []


def test_unpacking_is_all_or_nothing(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, ledger = read_archive(packed), Ledger(tmp_path / "ledger")
    folder = unpack(archive, ledger)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {*archive.members}
    with pytest.raises(ArchiveError, match="is there already"):
        unpack(archive, ledger)

    def full(self: Path, body: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    other = Ledger(tmp_path / "other")
    with pytest.raises(OSError, match="No space"):
        unpack(archive, other)
    assert [path.name for path in other.root.rglob("*")] == ["studies"]


def test_an_archive_holds_only_what_a_study_has(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"'notes\.txt' is foreign"):
        write_archive("x", {"notes.txt": b""}, tmp_path / "x.zip", anonymous=False, redacted=False)
    assert list(tmp_path.iterdir()) == []


def test_the_digest_names_the_content(packed: Path) -> None:
    archive = read_archive(packed)
    assert isinstance(archive, Archive)
    other = forged(packed, lambda members: members.update({"report.html": b"<html>"}))
    assert read_archive(other).digest != archive.digest
