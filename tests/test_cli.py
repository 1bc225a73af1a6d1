"""The command, as it is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.analysis.shown import Shown
from toolkit.cli import main
from toolkit.evaluation.replay import Replay
from toolkit.ledger.merge import Merged


class Loud(Shown):
    notes = ("it says \x1b[2J and \u202e",)

    def table(self) -> tuple[list[str], list[list[str]]]:
        return ["arm"], [["\x1b]0;title\x07"]]


def test_what_others_wrote_gives_a_terminal_no_orders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no\x1b[31m.toml"]) == 2
    told = capsys.readouterr().err
    assert "no\\x1b[31m.toml: there is no such file" in told
    odd = folder / "ledger" / "studies" / "odd\x1b[2J"
    odd.mkdir(parents=True)
    (odd / "plan.json").write_text("{}")
    assert main(["ls"]) == 0
    listed = capsys.readouterr().out
    assert "odd\\x1b[2J" in listed
    replayed = Replay("s", 1, 1, 1, None, ("run\x1b[1A",), ("note: \x9b31m",))
    merged = Merged("\x1bc", True, 1, 0, code=("\x1b[8m.py",))
    for one in (told, listed, str(Loud()), repr(Loud()), str(replayed), str(merged)):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(one), one


@pytest.fixture
def folder(typed: Path) -> Path:
    return typed


def stamps(folder: Path) -> dict[Path, int]:
    """When each file of each run was last written."""
    found = {path: path.stat().st_mtime_ns for path in folder.glob("ledger/studies/*/runs/*/*")}
    assert len(found) >= 4 * 3  # record, calls and episodes of each run
    return found


def test_run_prints_table_and_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(folder)]) == 0
    shown = capsys.readouterr()
    assert "difference to static" in shown.out
    assert "SCRIPTED MODEL" in shown.out
    report = Path(shown.out.split("report: ")[1].strip())
    assert report.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert "32/32" in shown.err  # 2 arms x 2 seeds x 8 tasks


def test_run_again_runs_nothing_and_prints_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", str(folder)])
    first = capsys.readouterr().out
    kept = stamps(folder)
    assert main(["run", str(folder)]) == 0
    assert capsys.readouterr().out == first
    assert stamps(folder) == kept


def test_more_seeds_keep_finished_runs(folder: Path) -> None:
    main(["run", str(folder)])
    kept = stamps(folder)
    assert main(["run", str(folder), "--seeds", "3"]) == 0
    assert stamps(folder).items() >= kept.items()
    assert len(list(folder.rglob("studies/**/run.json"))) == 6


def test_report_and_ls(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", str(folder)])
    capsys.readouterr()
    assert main(["ls"]) == 0
    assert "typed" in capsys.readouterr().out
    assert main(["report", "typed"]) == 0
    assert "report.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "tiped"], "no study is called 'tiped'"),
        (["run", "nowhere"], "there is no such file"),
        (["lm", "get", "smollm"], "smollm2-135m"),
    ],
)
def test_mistakes_are_one_clear_message(folder: Path, capsys, arguments: list[str], told: str) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("toolkit: ")
    assert told in error
    assert "Traceback" not in error


def test_an_empty_ledger_says_how_to_begin(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls"]) == 0
    assert "toolkit run" in capsys.readouterr().out


def test_doctor_finds_everything_installed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    shown = capsys.readouterr().out
    assert "dspy" in shown
    assert "python" in shown
    assert "absent; needed" not in shown


def test_doctor_names_the_line_that_mends(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from importlib import metadata

    real = metadata.version

    def without(name: str) -> str:
        if name == "duckdb":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("toolkit.doctor.metadata.version", without)
    assert main(["doctor"]) == 1
    assert "python -m pip install 'duckdb" in capsys.readouterr().out


def test_the_installed_command_helps() -> None:
    command = [sys.executable, "-m", "toolkit", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    for word in ("run", "report", "ls", "lm", "doctor"):
        assert word in found.stdout


@pytest.mark.parametrize("bad", ["0", "-1", "two"])
def test_counts_are_checked(folder: Path, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", str(folder), "--seeds", bad])
    assert "must be an integer of at least 1" in capsys.readouterr().err


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    import toolkit

    project = Path(__file__).parents[1] / "pyproject.toml"
    told = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"toolkit {told}\n")
    assert toolkit.__version__ == told
