"""``%%ledger``: what it shows and binds, what it completes, what it refuses; and that loading is cheap and undone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from errands import Errands, finish
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.traits.memory import Retrieval
from toolkit.widgets.magics import Rows

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202eevil $x^2$"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that holds a study."""
    folder = tmp_path_factory.mktemp("asked") / "my ledger"
    arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2))]
    finish(Study("asked", Errands(tasks=6), lm=Scripted(), arms=arms, seeds=2, ledger=folder, tracking="off"))
    return folder


@pytest.fixture
def shell(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A session of IPython with the extension loaded."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TOOLKIT_LEDGER", str(recorded))
    monkeypatch.chdir(tmp_path)
    made = InteractiveShell()
    made.Completer.use_jedi = False
    made.run_line_magic("load_ext", "toolkit")
    yield made
    made.history_manager.end_session()


def ran(shell: InteractiveShell, cell: str) -> ExecutionResult:
    return shell.run_cell(cell, store_history=True)


def completed(shell: InteractiveShell, cell: str) -> set[str]:
    """What is offered at the mark ``|``."""
    place = cell.index("|")
    code = cell.replace("|", "")
    with provisionalcompleter():
        return {one.text for one in shell.Completer.completions(code, place)}


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_cell_of_sql_gives_a_frame(shell: InteractiveShell) -> None:
    rows = ran(shell, "%%ledger\nSELECT arm, count(*) AS n\nFROM episodes GROUP BY arm ORDER BY arm; -- both").result
    assert isinstance(rows, pd.DataFrame)
    assert rows.to_dict("list") == {"arm": ["memory", "static"], "n": [12, 12]}
    assert shell.user_ns["Out"][shell.execution_count - 1] is rows  # not "_": a doctest run before this test takes it


def test_it_is_bound_to_the_name_and_shown(shell: InteractiveShell) -> None:
    shown = ran(shell, "%%ledger curve --limit 3\nSELECT t FROM episodes ORDER BY t DESC").result
    assert shell.user_ns["curve"] is shown
    assert list(shown.t) == [5, 5, 5]
    assert ran(shell, "curve.t.max()").result == 5


def test_a_ledger_may_be_named_for_a_cell_or_chosen(shell: InteractiveShell, tmp_path: Path, capsys) -> None:
    other = tmp_path / "other place"
    Ledger(other).connect()
    count = "\nSELECT count(*) AS n FROM episodes"
    assert ran(shell, f"%%ledger --ledger '{other}'{count}").result.n[0] == 0
    assert ran(shell, f"%%ledger{count}").result.n[0] == 24
    capsys.readouterr()
    ran(shell, f'%ledger "{other}"')
    assert f"ledger: {other} (0 studies)" in capsys.readouterr().out
    assert ran(shell, f"%%ledger{count}").result.n[0] == 0


def test_the_line_says_which_ledger_and_its_views(shell: InteractiveShell, recorded: Path, capsys) -> None:
    ran(shell, "%ledger")
    told = capsys.readouterr().out
    assert told.startswith(f"ledger: {recorded} (1 study)")
    assert "\n  studies   study, runs, finished" in told
    assert max(map(len, told.splitlines())) <= 120


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%ledger\nSELECT * FROM episdes", "no view is called 'episdes'; did you mean 'episodes'?"),
        ("%%ledger\nSELECT scor FROM episodes", "no column is called 'scor'; did you mean 'score' or 'scores'?"),
        ("%%ledger\nSELECT e.amr FROM episodes e", "no column is called 'amr'; did you mean 'arm'?"),
        ("%%ledger\nWITH a AS (SELECT arm AS who FROM runs) SELECT whoo FROM a", "did you mean 'who'?"),
        ("%%ledger\nSELECT arm\nFRM runs", "Parser Error: syntax error"),
        ("%%ledger\nSELECT 'a\x1b[31m'::INT", "Could not convert string 'a\\x1b[31m' to INT32"),
        ("%%ledger\n -- nothing", "one statement is read at a time but there are 0"),
        ("%%ledger\nSELECT 1; SELECT 2", "one statement is read at a time but there are 2"),
        ("%%ledger\nPIVOT runs ON arm USING count(*)", "PIVOT must name its columns"),
        ("%%ledger 2nd\nSELECT 1", "must be a variable's name but is '2nd'"),
        ("%%ledger class\nSELECT 1", "must be a variable's name but is 'class'"),
        ("%%ledger --limit none\nSELECT 1", "must be an integer of at least 1 but is 'none'"),
        ("%%ledger --ledger nowhere\nSELECT 1", "a ledger is a folder, but 'nowhere' is none"),
        ("%ledger nowhere", "a ledger is a folder, but 'nowhere' is none"),
    ],
)
def test_a_mistake_is_one_clear_message(shell: InteractiveShell, capsys, cell: str, told: str) -> None:
    assert isinstance(ran(shell, cell).error_in_exec, UsageError)
    shown = capsys.readouterr()
    assert told in shown.err
    assert "\n" not in shown.err.strip()
    assert "\x1b" not in shown.err
    assert "Traceback" not in shown.out + shown.err
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{ledger}/out.csv'",
        "WITH a AS (COPY (SELECT 1) TO '{ledger}/out.csv') SELECT * FROM a",
        "FROM query('WITH a AS (COPY (SELECT 1) TO ''{ledger}/out.csv'') FROM a')",
        "ATTACH '{ledger}/out.duckdb'",
        "EXPORT DATABASE '{ledger}/out'",
        "CREATE TABLE out AS SELECT 1",
        "DROP VIEW episodes",
        "SET enable_external_access = true",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{ledger}/out.csv'",
        "FROM enable_logging(storage := 'file', storage_path := '{ledger}/out')",
        "FROM read_text('{elsewhere}')",
        "FROM read_text('{ledger}/../secret.txt')",
        "FROM '{elsewhere}'",
        "FROM glob('{elsewhere}*')",
        "FROM read_text('{ledger}/link.txt')",
        "FROM read_blob('/proc/self/environ')",
        "FROM read_csv('https://elsewhere.example/x.csv')",
        "FROM sqlite_scan('{elsewhere}', 'x')",
        "FROM duckdb_secrets()",
        "FROM shell",
        "INSTALL fts",
        "LOAD httpfs",
    ],
)
def test_only_the_ledger_is_read_and_nothing_is_written(
    shell: InteractiveShell, recorded: Path, capsys, query: str
) -> None:
    secret = recorded.parent / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    link = recorded / "link.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    ran(shell, "%%ledger\nSELECT 1")
    before = files(recorded.parent)
    done = ran(shell, f"%%ledger\n{query.format(ledger=recorded, elsewhere=secret)}")
    assert isinstance(done.error_in_exec, UsageError)
    assert "secret\n" not in capsys.readouterr().out
    assert files(recorded.parent) == before
    assert ran(shell, "%%ledger\nSELECT count(*) AS n FROM episodes").result.n[0] == 24


def test_hostile_values_are_shown_as_text_and_kept_as_they_are(shell: InteractiveShell) -> None:
    literal = "'" + HOSTILE + "'"
    rows = ran(shell, f"%%ledger\nSELECT {literal} AS answer, [{literal}] AS several, {{'a': {literal}}} AS one").result
    assert rows.answer[0] == HOSTILE
    with pd.option_context("display.max_colwidth", None, "display.width", None):
        for told in (rows, rows.head(1), rows[["several", "one"]]):
            data, _ = shell.display_formatter.format(told)
            assert "&lt;script&gt;" in data["text/html"]
            assert "<script" not in data["text/html"]
            assert "tex2jax_ignore" in data["text/html"]
            assert not {"\x1b", "\u202e"} & set(data["text/html"] + data["text/plain"])
        plain = shell.display_formatter.format(rows.answer)[0]["text/plain"]
    assert "\\x1b[31m\\u202eevil" in plain


def test_derived_frames_stay_frames() -> None:
    rows = Rows({"arm": ["a", "a", "b"], "score": [0.0, 1.0, 1.0]})
    assert list(rows.groupby("arm").score.mean()) == [0.5, 1.0]
    assert isinstance(rows.score.to_frame(), Rows)
    assert rows.merge(rows, on="arm").shape == (5, 3)


@pytest.mark.parametrize(
    ("cell", "offered", "absent"),
    [
        ("%%ledger\nSELECT * FROM ep|", {"episodes"}, {"runs"}),
        ("%%ledger\nSELECT * FROM |", {"episodes", "runs", "turns"}, {"arm"}),
        ("%%ledger x --limit 2\nSELECT sc| FROM episodes", {"score", "scores"}, {"scripted"}),
        ("%%ledger\nSELECT sc| FROM runs", {"scripted"}, {"score"}),
        ("%%ledger\nSELECT *\nFROM runs\nWHERE se|", {"seed", "servers"}, {"session"}),
        ("%%ledger\nSELECT * FROM runs r JOIN turns t USING (study) WHERE t.ta|", {"task"}, {"tasks"}),
        ("%%ledger\nSELECT * FROM runs r JOIN t|", {"turns"}, {"task"}),
        ("%%ledger\nSELECT * FROM runs, mem|", {"memories"}, set()),
        ("%%ledger\nSELECT * FROM runs w|", set(), {"where"}),
        ("%%ledger\nSELECT * FROM runs WHERE arm = 'se|", set(), {"seed", "servers"}),
        ("%%ledger\nSELECT 1 -- FROM ep|", set(), {"episodes"}),
        ("SELECT * FROM ep|", set(), {"episodes"}),
        ("%%ledger FROM ep|", set(), {"episodes"}),
    ],
)
def test_views_and_columns_are_completed(
    shell: InteractiveShell, cell: str, offered: set[str], absent: set[str]
) -> None:
    found = completed(shell, cell)
    assert found >= offered
    assert not found & absent


def test_names_of_python_are_not_offered_beside_columns(shell: InteractiveShell) -> None:
    ran(shell, "score_of_mine = 1")
    assert completed(shell, "%%ledger\nSELECT sc| FROM episodes") == {"score", "scores"}
    assert "score_of_mine" in completed(shell, "score_|")


def test_loaded_twice_it_is_there_once_and_unloaded_it_is_gone(shell: InteractiveShell, capsys) -> None:
    import toolkit

    def matchers() -> list[object]:
        return [one for one in shell.Completer.custom_matchers if "toolkit" in getattr(one, "matcher_identifier", "")]

    shell.run_line_magic("load_ext", "toolkit")
    toolkit.load_ipython_extension(shell)
    assert len(matchers()) == 1
    assert ran(shell, "%%ledger kept\nSELECT 1 AS one").result.one[0] == 1
    shell.run_line_magic("reload_ext", "toolkit")
    assert len(matchers()) == 1
    assert ran(shell, "%%ledger\nSELECT 1 AS one").result.one[0] == 1
    shell.run_line_magic("unload_ext", "toolkit")
    assert matchers() == []
    capsys.readouterr()
    ran(shell, "%%ledger\nSELECT 1")
    ran(shell, "%ledger")
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("not found") == 2
    assert ran(shell, "kept.one[0]").result == 1
    toolkit.unload_ipython_extension(shell)


def test_two_sessions_choose_for_themselves(shell: InteractiveShell, tmp_path: Path) -> None:
    other = InteractiveShell()
    other.run_line_magic("load_ext", "toolkit")
    Ledger(tmp_path / "empty").connect()
    ran(other, f"%ledger {tmp_path / 'empty'}")
    count = "%%ledger\nSELECT count(*) AS n FROM episodes"
    assert (ran(other, count).result.n[0], ran(shell, count).result.n[0]) == (0, 24)
    other.history_manager.end_session()


def test_importing_the_toolkit_imports_no_ipython() -> None:
    code = "import toolkit, sys; toolkit.load_ipython_extension; print('IPython' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert found.stdout.strip() == "False"
