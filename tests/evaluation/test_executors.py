"""Runs in other processes and on a cluster: the same hashes, whatever dies meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from doomed import plagued
from doomed import study as mortal_study
from errands import ROOT, TABLES, Errands, finish, tables
from held import study as held_study

from toolkit.agents.arm import Arm
from toolkit.errors import MissingExtra, SpecError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.executors import _client as own_cluster
from toolkit.evaluation.run import carry_out, give_up
from toolkit.evaluation.study import Study
from toolkit.ledger.follow import Glimpse, following
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import LONG
from toolkit.lm.scripted import Scripted


@pytest.fixture(autouse=True)
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the mortal model finds what to do and notes who asked it."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("MORTAL", str(folder))
    return folder


@pytest.fixture(scope="module")
def hashes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the runs come to on this machine, in this process."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MORTAL", str(folder))
        return [record.hash for record in finish(mortal_study(Ledger(folder / "ledger"))).records()]


def finished(study: Study, executor: str) -> list[str]:
    assert {record.status for record in study.run(executor=executor)} == {"finished"}
    return [record.hash for record in study.records()]


def workers(marks: Path) -> set[int]:
    return {int(path.name.removeprefix("pid-")) for path in marks.glob("pid-*")}


def gone(pids: set[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_worker_that_is_killed_is_replaced_and_all_comes_to_the_same(
    ledger: Ledger, marks: Path, hashes: list[str]
) -> None:
    (marks / "kill").touch()
    made, seen = mortal_study(ledger), list[Glimpse]()
    with following(ledger, made.name, seen.extend, every=0.05):
        assert finished(made, "processes") == hashes
    assert len(workers(marks)) == 3
    assert os.getpid() not in workers(marks)
    assert gone(workers(marks))
    assert sorted(record.replayed for record in made.records()) == [0, 0, 0, 9]
    assert sorted((one.arm, one.seed, one.t) for one in seen) == sorted(
        (arm, seed, t) for arm in ("static-call", "m") for seed in (0, 1) for t in range(24)
    )


def test_a_run_that_kills_every_worker_fails_and_the_others_finish(ledger: Ledger, marks: Path) -> None:
    (marks / "plague").touch()
    made = plagued(ledger)
    made.run(executor="processes")
    by_arm = {record.arm: record for record in made.records()}
    assert by_arm["static-call"].status == "finished"
    assert by_arm["m"].status == "failed"
    assert "its worker process died 3 times, the last time with code -9" in by_arm["m"].error
    finish(made)  # once the plague is over, or as here in this process


def test_processes_keep_a_common_budget(ledger: Ledger) -> None:
    made = mortal_study(ledger, budget=Budget(calls=50))
    assert "stopped" in {record.status for record in made.run(executor="processes")}
    assert ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 50


def test_workers_end_when_the_study_is_killed(tmp_path: Path) -> None:
    spec = f"""
    study = {{ name = "held", lm = {{ use = "Held" }}, seeds = 1, code = ["{ROOT / "tests" / "held.py"}"] }}
    stream = {{ use = "Errands", tasks = 150, delay = 3 }}
    arms = [{{ name = "m", memory = "Retrieval" }}]
    """
    (tmp_path / "study.toml").write_text(spec, encoding="utf-8")
    own = {"HELD_AFTER": "40", "PYTHONPATH": str(ROOT / "tests"), "TOOLKIT_LEDGER": str(tmp_path / "ledger")}
    command = [sys.executable, "-m", "toolkit", "run", str(tmp_path), "--executor", "processes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | own) as child:
        assert child.stdout is not None
        assert any(line == "held\n" for line in child.stdout)
        child.kill()
        assert child.stdout.read() == ""  # ends when no process has the pipe any more
    made = held_study(Ledger(tmp_path / "ledger"))
    (record,) = finish(made).records()
    assert record.replayed == 40


@pytest.mark.usefixtures("form")
def test_one_run_carried_out_twice_at_once_is_carried_out_once(ledger: Ledger) -> None:
    made = mortal_study(ledger)
    made.folder.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda run: carry_out(run, made.folder), [made.runs[0]] * 2)
    assert first == second
    assert first.status == "finished"
    assert ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 24


def test_a_long_run_of_another_process_becomes_parquet_and_is_followed(ledger: Ledger) -> None:
    made = Study("long", Errands(tasks=LONG), arms=[Arm.static()], lm=Scripted(), seeds=1, ledger=ledger)
    seen: list[Glimpse] = []
    with following(ledger, "long", seen.extend, every=0.01):
        made.run(executor="processes")
    [folder] = made.folder.glob("runs/*")
    assert tables(folder) == TABLES["parquet"]
    assert [one.t for one in seen] == list(range(LONG))
    assert ledger.sql("SELECT count(*) AS n FROM calls").n[0] == LONG


# What cannot go is refused before anything is spent.

NOTEBOOK = """
import sys
import toolkit as tk
from errands import Errands

class Diary(tk.MemoryPolicy):
    def reset(self, rng, think): pass
    def observe(self, experience): pass
    def recall(self, task): return tk.Recall() if hasattr(tk, "Recall") else None

arms = [tk.Arm("static"), tk.Arm("diary", memory=Diary())]
tk.Study("own", Errands(), arms=arms, lm="scripted", seeds=1, ledger=sys.argv[1]).run(executor="processes")
"""


def test_a_class_of_a_notebook_cannot_go(tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text(NOTEBOOK, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "cell.py"), str(tmp_path / "ledger")]
    own = {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | own, check=False)
    assert done.returncode == 1
    assert "arm 'diary': Diary is defined in this notebook or script and cannot go to another process" in done.stderr
    assert "code = [...]" in done.stderr
    assert not (tmp_path / "ledger" / "studies" / "own" / "runs").exists()


def test_what_cannot_be_pickled_a_watch_and_an_unknown_executor_are_refused(ledger: Ledger) -> None:
    arms = [Arm.wrap(lambda task: "post", name="short")]
    made = Study("w", Errands(tasks=4), arms=arms, lm=Scripted(), seeds=1, ledger=ledger)
    with pytest.raises(SpecError, match="arm 'short' cannot leave this process"):
        made.run(executor="processes")
    with pytest.raises(SpecError, match=r"study.live\(\)"):
        mortal_study(ledger).run(executor="processes", watch=print)
    for asked in ("procesess", "threads:4"):
        with pytest.raises(SpecError, match="an executor is threads, processes, dask or dask:ADDRESS but is"):
            mortal_study(ledger).run(executor=asked)
    assert ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 0


def test_without_dask_the_command_that_installs_it_is_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("distributed", "dask.distributed"):  # another test may have imported it
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'adaptive-agents-toolkit\[cluster\]'"):
        mortal_study(ledger).run(executor="dask")


def test_an_executor_of_ones_own_is_used_and_left_open(ledger: Ledger, hashes: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = mortal_study(ledger)
        made.run(executor=pool)
        assert [record.hash for record in made.records()] == hashes
        assert pool.submit(len, "ab").result() == 2


# Dask.


def test_a_cluster_comes_to_the_same_though_a_worker_is_killed(ledger: Ledger, marks: Path, hashes: list[str]) -> None:
    from distributed import LocalCluster

    (marks / "kill").touch()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        made = mortal_study(ledger)
        assert finished(made, f"dask:{cluster.scheduler_address}") == hashes
    assert not (marks / "kill").exists()
    assert os.getpid() not in workers(marks)
    assert gone(workers(marks))
    assert sum(record.replayed for record in made.records()) == 9
    folders = {run.folder for run in made.runs}
    assert {path.name for path in (made.folder / "runs").iterdir()} == folders


def test_a_run_that_kills_the_workers_of_a_cluster_fails(ledger: Ledger, marks: Path) -> None:
    import dask

    (marks / "plague").touch()
    made = plagued(ledger, workers=1)
    slow = {"distributed.deploy.lost-worker-timeout": "1ms"}  # as if every worker took too long to come back
    with dask.config.set({"distributed.scheduler.allowed-failures": 0} | slow):
        made.run(executor="dask")  # a cluster of the study's own
    by_arm = {record.arm: record for record in made.records()}
    assert by_arm["static-call"].status == "finished"
    assert by_arm["m"].status == "failed"
    assert "the workers that carried it out died" in by_arm["m"].error


def test_a_run_that_finished_before_its_worker_died_has_not_failed(ledger: Ledger) -> None:
    made = finish(mortal_study(ledger))
    run, record = made.runs[0], made.records()[0]
    assert give_up(run, made.folder, Budget(), "its worker died on the way home") == record
    assert made.records()[0] == record


def test_no_other_program_of_this_machine_may_speak_to_a_studys_own_cluster() -> None:
    from distributed import Client, Security

    with own_cluster("", 1) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert client.submit(len, "ab").result() == 2
        for said, how in ((address.replace("tls:", "tcp:"), None), (address, Security.temporary())):
            with pytest.raises((OSError, TypeError)), Client(said, security=how, timeout=20) as stranger:
                stranger.submit(len, "ab").result(timeout=20)
