"""Packing: what leaves the machine holds no secret, and, where it is asked for, no name and no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import TABLES, finish, tables
from serving import Stub, fails, says, serving

from toolkit.agents.arm import Arm
from toolkit.analysis import compare, drifts
from toolkit.cli import main
from toolkit.evaluation.pack import pack, replay_archive
from toolkit.evaluation.replay import replay
from toolkit.evaluation.spec import load
from toolkit.evaluation.study import Study
from toolkit.ledger.archive import read_archive, texts, unpack
from toolkit.ledger.container import ArchiveError
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target
from toolkit.lm.hosted import Hosted
from toolkit.lm.scripted import Scripted
from toolkit.streams.benchmarks import Banking77
from toolkit.streams.desk import Desk
from toolkit.streams.table import Table
from toolkit.traits.memory import Retrieval

KEY = "sk-planted-0123456789abcdefghij"
HEADER = "planted-organisation-header"
DIARY = '''
import toolkit as tk


class PackedDiary(tk.MemoryPolicy):
    """The last line of a diary."""

    def __init__(self, lines: int = 1):
        self.lines = lines

    def reset(self, rng, think):
        self.kept = {}

    def observe(self, experience):
        self.kept[experience.id] = experience

    def recall(self, task):
        latest = list(self.kept.values())[-self.lines :]
        return tk.Recall(tuple(e.example(e.known_answer or e.answer) for e in latest))
'''
SPEC = """
[study]
name = "coded"
lm = "scripted"
seeds = 2
code = ["diary.py"]

[stream]
use = "Desk"
tasks = 8

[[arms]]
name = "static"

[[arms]]
name = "diary"
memory = "PackedDiary"
"""


@pytest.fixture(autouse=True)
def _no_keys_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")):
            monkeypatch.delenv(name)


@pytest.fixture
def desk(study: Callable[..., Study]) -> Study:
    return finish(study(Arm.static(), Arm("m", memory=Retrieval()), stream=Desk(tasks=8), name="desk"))


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A person at a machine, whose names stand wherever a careless archive would have them."""
    home = tmp_path / "home" / "planted.author"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\tname = Planted Author\n\temail = author@planted.example\n")
    for name, value in {"HOME": str(home), "USER": "pauthor", "LOGNAME": "pauthor"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setattr("socket.gethostname", lambda: "plantedhost.lab.example")
    return {"home": str(home), "user": "pauthor", "host": "plantedhost", "name": "Planted Author", "mail": "author@"}


def table(folder: Path) -> Table:
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(
        f"note {n} on {['post', 'bread', 'bank'][n % 3][::-1]},{['post', 'bread', 'bank'][n % 3]}\n" for n in range(12)
    )
    (folder / "errands.csv").write_text("note,errand\n" + rows)
    return Table(str(folder / "errands.csv"), inputs="note", answer="errand", options="answers")


def banking(folder: Path) -> Banking77:
    """Two made-up files of BANKING77's form."""
    folder.mkdir(parents=True)
    (folder / "categories.json").write_text('["card_lost", "rate_low"]')
    for part, first in (("test", 0), ("train", 100)):
        rows = [
            f"my {'card' if n % 2 else 'rate'} number {n},{'card_lost' if n % 2 else 'rate_low'}"
            for n in range(first, first + 12)
        ]
        (folder / f"{part}.csv").write_text("text,category\n" + "\n".join(rows) + "\n")
    return Banking77(str(folder), options=2, tasks=8)


def held(path: Path) -> str:
    """Everything that an archive says."""
    archive = read_archive(path)
    return "\n".join([*archive.members, *(text for _, text in texts(archive.members))])


def test_an_archive_replays_and_unpacks(form: str, desk: Study, tmp_path: Path) -> None:
    assert [tables(run) for run in desk.folder.glob("runs/*")] == 4 * [TABLES[form]]
    done = pack(desk.ledger, "desk", tmp_path / "x.zip")
    assert done.archive.digest in str(done)
    found = replay_archive(tmp_path / "x.zip")
    assert found.identical, found
    assert f"archive digest {done.archive.digest}" in str(found)
    assert "report.html: the same to the byte" in str(found)
    other = Ledger(tmp_path / "other")
    unpack(read_archive(tmp_path / "x.zip"), other)
    assert str(compare("desk", ledger=other)) == str(compare("desk", ledger=desk.ledger))
    assert replay(other, "desk").identical


def test_a_declared_drift_is_in_the_archive(study: Callable[..., Study], tmp_path: Path) -> None:
    made = finish(study(Arm.static(), stream=Desk(tasks=12, drift=2), name="drift"))
    pack(made.ledger, "drift", tmp_path / "x.zip")
    assert replay_archive(tmp_path / "x.zip").identical
    other = Ledger(tmp_path / "other")
    unpack(read_archive(tmp_path / "x.zip"), other)
    assert drifts("drift", ledger=other) == (4, 8)


def test_a_table_in_an_archive_that_says_something_else_is_shown(
    desk: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = json.dumps
    monkeypatch.setattr("toolkit.evaluation.pack._numbers", lambda name, ledger: {"static: score": 0.123})
    pack(desk.ledger, "desk", tmp_path / "x.zip")
    monkeypatch.undo()
    found = replay_archive(tmp_path / "x.zip").difference
    assert found is not None
    assert (found.run, found.column, found.recorded) == ("", "static: score", real(0.123))


def test_code_runs_only_if_it_is_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "diary.py").write_text(DIARY)
    (tmp_path / "study.toml").write_text(SPEC)
    finish(load(tmp_path, ledger=tmp_path / "ledger", tracking="off"))
    arguments = ["pack", "coded", "--ledger", str(tmp_path / "ledger"), "--output", str(tmp_path / "x.zip")]
    assert main(arguments) == 0
    (tmp_path / "diary.py").write_text("raise AssertionError('not the code of the archive')")
    code = "import sys; from toolkit.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "replay", str(tmp_path / "x.zip")]
    assert main(["replay", str(tmp_path / "x.zip")]) == 2
    refused = capsys.readouterr().err
    assert "holds code of its own: code/diary.py" in refused
    assert "--trust-code" in refused
    trusted = subprocess.run([*command, "--trust-code"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert trusted.stdout.startswith("identical: coded: 4 runs"), trusted.stdout + trusted.stderr


def test_data_go_along_only_where_their_licence_allows(study: Callable[..., Study], tmp_path: Path) -> None:
    made = finish(study(Arm.static(), stream=banking(tmp_path / "a"), name="free", seeds=1))
    done = pack(made.ledger, "free", tmp_path / "free.zip")
    assert "stream-0.json" in done.archive.members
    own = finish(study(Arm.static(), stream=table(tmp_path / "b"), name="own", seeds=1))
    kept = pack(own.ledger, "own", tmp_path / "own.zip")
    assert "stream-0.json" not in kept.archive.members
    assert "data: checksums only (licence: not stated)" in str(kept)
    for folder in ("a", "b"):
        for file in (tmp_path / folder).iterdir():
            file.rename(file.with_suffix(".away"))
    assert replay_archive(tmp_path / "free.zip").identical
    told = json.loads(kept.archive.members["data.json"])["streams"][0]["files"]
    with pytest.raises(ValueError) as caught:
        replay_archive(tmp_path / "own.zip")
    place = tmp_path / "data" / "errands.csv"
    assert f"put errands.csv (sha256 {told[0]['sha256']}) at {place}" in str(caught.value)
    table(tmp_path / "data")
    assert replay_archive(tmp_path / "own.zip").identical
    place.write_text(place.read_text().replace("note 3", "note three"))
    with pytest.raises(ValueError, match="are not those that 'own' ran on"):
        replay_archive(tmp_path / "own.zip")


def test_no_secret_is_in_ledger_mlflow_or_archive(
    study: Callable[..., Study], own: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    monkeypatch.setenv("PLANTED_TOKEN", HEADER)
    echo = f"no such key: Bearer {KEY}, organisation {HEADER}"
    with serving(Stub([fails(500, echo), says(f"post {KEY}"), fails(429, echo)])) as address:
        lm = Hosted("openai/stub", api_base=address, key_env="STUB_KEY")
        arms = [Arm.static(), Arm("m", memory=Retrieval())]
        made = finish(study(*arms, stream=Desk(tasks=4), name="desk", lm=lm, tracking="ledger"))
    assert made.tracking.wait(600).state == "done"
    packed = pack(made.ledger, "desk", tmp_path / "x.zip")
    assert replay_archive(packed.path).identical
    whole = held(packed.path)
    files = [path.read_bytes() for path in made.ledger.root.rglob("*") if path.is_file()]
    assert own.uri.endswith("/ledger/mlflow.db")
    assert (made.ledger.root / "mlartifacts").is_dir()  # MLflow's own files are among them
    for secret in (KEY, HEADER):
        assert secret not in whole
        assert not any(secret.encode() in body for body in files)
        assert made.ledger.sql("SELECT * FROM calls").to_json().count(secret) == 0
        assert made.ledger.sql("SELECT * FROM episodes").to_json(default_handler=str).count(secret) == 0
    assert "[key]" in whole


@pytest.mark.usefixtures("form")
def test_a_secret_that_got_into_a_study_is_not_packed(
    desk: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = next(iter(desk.stream.pairs()[0][0].inputs.values()))
    monkeypatch.setenv("PLANTED_SECRET", word)
    with pytest.raises(ArchiveError, match=r"calls\.parquet.* would hold a secret") as caught:
        pack(desk.ledger, "desk", tmp_path / "x.zip")
    assert word not in str(caught.value)
    assert not (tmp_path / "x.zip").exists()
    pack(desk.ledger, "desk", tmp_path / "x.zip", redact=True)


@pytest.mark.usefixtures("form")
def test_an_anonymous_archive_names_nobody(
    study: Callable[..., Study], somebody: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(somebody["home"])
    monkeypatch.chdir(home)
    monkeypatch.setenv("STUB_KEY", KEY)
    with serving(Stub()) as address:
        lm = Hosted("openai/stub", api_base=address, key_env="STUB_KEY")
        arms = [Arm.static(), Arm("chat", lm=Hosted("openai/stub", api_base=address, adapter="chat"))]
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        made = finish(study(*arms, stream=table(home / "work"), name="errands", lm=lm, seeds=2))
    for file in ("tracking.json", "tracking.log"):
        (made.folder / file).write_text(f"{somebody}")
    run = next(made.folder.glob("runs/*/run.json"))
    run.write_text(json.dumps({**json.loads(run.read_text()), "error": f"no room in {home} or {home}/x/y"}))
    plain = pack(made.ledger, "errands", tmp_path / "plain.zip")
    assert somebody["home"] in held(plain.path)
    hidden = pack(made.ledger, "errands", tmp_path / "hidden.zip", anonymous=True)
    whole = held(hidden.path)
    for what, word in somebody.items():
        assert word.lower() not in whole.lower(), what
    assert "127.0.0.1" in held(plain.path)
    assert "127.0.0.1" not in whole
    assert "api_base='http://server.invalid/v1'" in hidden.archive.members["plan.json"].decode()
    assert str(tmp_path) not in whole
    assert "commit" not in json.loads(hidden.archive.members["environment.json"])
    assert 'data = "data/errands.csv"' in hidden.archive.members["study.toml"].decode()
    table(tmp_path / "data")
    for name in ("STUB_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    assert replay_archive(hidden.path).identical


@pytest.mark.parametrize("what", ["home", "user", "host", "name", "mail"])
def test_a_name_that_cannot_be_removed_is_refused_with_its_place(
    somebody: dict[str, str], tmp_path: Path, what: str
) -> None:
    word = {**somebody, "mail": "author@planted.example"}[what]
    (tmp_path / "diary.py").write_text(f"# by {word}\n{DIARY}")
    (tmp_path / "study.toml").write_text(SPEC)
    finish(load(tmp_path, ledger=tmp_path / "ledger", tracking="off"))
    with pytest.raises(ArchiveError, match=r"would tell who made it: code/diary\.py: ") as caught:
        pack(Ledger(tmp_path / "ledger"), "coded", tmp_path / "x.zip", anonymous=True)
    assert word not in str(caught.value)
    assert not list(tmp_path.glob("x.zip*"))


@pytest.mark.usefixtures("form")
def test_a_redacted_archive_keeps_numbers_and_no_text(desk: Study, tmp_path: Path) -> None:
    done = pack(desk.ledger, "desk", tmp_path / "x.zip", redact=True)
    whole = held(done.path)
    for task, key in desk.stream.pairs():
        assert not any(text in whole for text in task.inputs.values())
        assert not any(f'"{answer}"' in whole for answer in key.answers)
    other = Ledger(tmp_path / "other")
    unpack(read_archive(done.path), other)
    assert str(compare("desk", ledger=other)) == str(compare("desk", ledger=desk.ledger))
    query = "SELECT arm, seed, t, answer, correction FROM episodes ORDER BY ALL"
    old, new = (ledger.sql(query) for ledger in (desk.ledger, other))
    assert ((old.answer == old.correction) == (new.answer == new.correction)).all()
    assert not set(old.answer) & set(new.answer)
    with pytest.raises(ArchiveError, match="it can be read, but not replayed"):
        replay_archive(done.path)


def test_hashes_of_a_redacted_archive_cannot_be_guessed(
    desk: Study, study: Callable[..., Study], tmp_path: Path
) -> None:
    finish(study(*desk.arms, stream=desk.stream, name="other", lm=Scripted(seed=1)))
    hashes = []
    for name in ("desk", "other"):
        archive = pack(desk.ledger, name, tmp_path / f"{name}.zip", redact=True).archive
        there = Ledger(tmp_path / f"at-{name}")
        unpack(archive, there)
        hashes.append(set(there.sql("SELECT correction FROM episodes").correction))
        whole = held(tmp_path / f"{name}.zip")
        assert not any(one in whole for one in desk.ledger.sql("SELECT hash FROM calls").hash)
    assert len(hashes[0]) == len(hashes[1]) > 1
    assert not hashes[0] & hashes[1]  # of the same corrections


def test_what_is_not_finished_is_left_out_and_said(desk: Study, tmp_path: Path) -> None:
    paths = sorted(desk.folder.glob("runs/*/run.json"))
    told = {path: json.loads(path.read_text()) for path in paths}
    paths[0].write_text(json.dumps({**told[paths[0]], "status": "suspended"}))
    done = pack(desk.ledger, "desk", tmp_path / "x.zip")
    assert f"left out, not finished: {paths[0].parent.name}" in str(done)
    found = replay_archive(done.path)
    assert found.identical
    assert found.left_out == (paths[0].parent.name,)
    for path in paths:
        path.write_text(json.dumps({**told[path], "status": "running"}))
    with pytest.raises(LedgerError, match="is finished: run it to the end, then pack it"):
        pack(desk.ledger, "desk", tmp_path / "y.zip")


def test_a_place_that_cannot_be_written_is_one_message(desk: Study, tmp_path: Path, capsys) -> None:
    where = str(tmp_path / "none" / "x.zip")
    assert main(["pack", "desk", "--ledger", str(desk.ledger.root), "--output", where]) == 2
    assert f"{where}: cannot be written" in capsys.readouterr().err
