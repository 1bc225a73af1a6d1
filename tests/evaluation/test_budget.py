"""Budgets: kept before a call is sent, by all runs together, over every sitting of a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from errands import finish

from toolkit.agents.arm import Arm, floors
from toolkit.analysis import compare
from toolkit.cli import main
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget, BudgetSpent, Purse, tally
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.ledger.call import Call
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.records import Task, Usage
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


class Priced(Scripted):
    """A scripted model that costs a dollar a thousand tokens."""

    dollars_in = dollars_out = 1000.0


class Unpriced(Scripted):
    """Nobody knows what it costs."""

    dollars_in = dollars_out = None

    def engine(self, stream):
        engine = ScriptedEngine(self, list(stream.pairs()))

        class Engine:
            supported_params = engine.supported_params

            def complete(self, request):
                return replace(engine.complete(request), provider_data={"dollars": None})

        return Engine()


def spent(study: Study, what: str = "sum(input_tokens + output_tokens)", where: str = "true") -> float:
    return float(study.ledger.sql(f"SELECT coalesce({what}, 0) AS n FROM calls WHERE {where}").n[0])


def stops(study: Study) -> list[str]:
    return [record.error for record in study.run() if record.status == "stopped"]


# One limit after the other: what it says, what it leaves, how it goes on.


@pytest.mark.parametrize(
    ("budget", "sql"),
    [
        (Budget(calls=30), "count(*)"),
        (Budget(tokens=600), "sum(input_tokens + output_tokens)"),
        (Budget(dollars=0.6), "sum(dollars)"),
    ],
    ids=["calls", "tokens", "dollars"],
)
def test_a_limit_stops_the_study_cleanly_and_a_higher_one_goes_on(study: Make, budget: Budget, sql: str) -> None:
    arms, (name, limit) = [Arm.static(), Arm("m", memory=Retrieval())], *budget.limits.items()
    cut = study(*arms, lm=Priced(), budget=budget)
    told = stops(cut)
    assert told
    assert all(text.startswith(f"budget stop: {name}: the study has spent ") for text in told)
    assert f" of {limit:,g}" in told[0]
    assert "higher limit" in told[0]
    used = spent(cut, sql)
    assert 0.5 * limit < used <= limit
    rows = cut.episodes()
    assert set(rows.status) == {"ok"}
    assert len(rows) < 4 * 24
    doubts = " ".join(doubt for row in cut.compare().rows for doubt in row.doubts)
    assert f"budget stop: {name}" in doubts
    assert f"budget stop: {name}" in str(cut.compare())
    assert stops(cut)
    assert spent(cut, sql) <= limit  # the same limit is still the limit
    whole = finish(study(*arms, lm=Priced(), name="whole"))
    resumed = finish(study(*arms, lm=Priced(), budget=Budget(**{name: 1000 * limit})))
    assert [r.hash for r in resumed.records()] == [r.hash for r in whole.records()]
    assert "budget stop" not in str(resumed.compare())
    assert spent(resumed, sql, "study = 'test'") == pytest.approx(spent(whole, sql, "study = 'whole'"))  # bought once


def test_runs_side_by_side_do_not_overshoot(study: Make) -> None:
    arms = [Arm("a", memory=Retrieval()), Arm("b", learning=DemoBuffer()), Arm.static()]
    for limit in (7, 23, 40):
        cut = study(*arms, name=f"c{limit}", seeds=3, workers=9, budget=Budget(calls=limit))
        assert stops(cut)
        assert spent(cut, "count(*)", f"study = 'c{limit}'") == limit


def test_an_arms_limit_stops_that_arm_alone(study: Make) -> None:
    cut = study(Arm.static(), Arm("m", memory=Retrieval()), budget=Budget(arms={"m": Budget(calls=10)}))
    by_arm = {(record.arm, record.seed): record for record in cut.run()}
    assert {by_arm["static", seed].status for seed in (0, 1)} == {"finished"}
    assert {by_arm["m", seed].status for seed in (0, 1)} == {"stopped"}
    assert "arm 'm' has spent 10 of 10 and the next call may take 1" in by_arm["m", 0].error
    doubts = cut.compare().row("m").doubts
    assert "budget stop: calls" in doubts
    assert not any("budget" in doubt for doubt in cut.compare().row("static").doubts)


def test_floors_cost_nothing_and_are_never_stopped(study: Make) -> None:
    cut = study(Arm.static(), *floors(), budget=Budget(calls=1), seeds=1)
    status = {record.arm: record.status for record in cut.run()}
    assert status.pop("static") == "stopped"
    assert set(status.values()) == {"finished"}


def test_a_run_that_was_not_begun_leaves_no_folder(study: Make) -> None:
    cut = study(Arm.static(), Arm("m", memory=Retrieval()), seeds=3, workers=1, budget=Budget(calls=5))
    assert len(stops(cut)) == 6
    assert len(list((cut.folder / "runs").iterdir())) == 1
    doubts = compare("test", baseline="m", ledger=cut.ledger).row("m").doubts
    assert "2 runs not begun" in doubts
    assert "budget stop: calls" in doubts


def test_seconds_of_a_study_are_counted_over_its_sittings(study: Make) -> None:
    cut = study(Arm.static(), seeds=1, budget=Budget(seconds=1000.0))
    cut.run(watch=lambda run, episode: cut.stop() if episode.t == 5 else None)
    book = cut.folder / "budget.json"
    kept = json.loads(book.read_text())
    assert kept["last"] > kept["since"]
    book.write_text(json.dumps(kept | {"before": 2000.0}))  # as if earlier sittings had lasted so long
    assert stops(cut)[0].startswith("budget stop: seconds: the study has spent 2,000.")
    assert json.loads(book.read_text())["before"] > 2000
    finish(study(Arm.static(), seeds=1, budget=Budget(seconds=10_000.0)))


def test_seconds_of_an_arm_are_its_calls(study: Make) -> None:
    cut = study(Arm.static(), seeds=1, budget=Budget(arms={"static": Budget(seconds=1e-6)}))
    assert stops(cut)[0].startswith("budget stop: seconds: arm 'static' has spent ")
    assert spent(cut, "count(*)") == 1


def test_a_price_that_is_not_known_cannot_be_kept(study: Make) -> None:
    cut = study(Arm.static(), lm=Unpriced(), seeds=1, budget=Budget(dollars=5.0))
    assert "budget stop: dollars: the price of the study's calls is not known" in stops(cut)[0]
    assert spent(cut, "count(*)") == 1
    finish(study(Arm.static(), lm=Unpriced(), seeds=1, budget=Budget(tokens=50_000)))


class Doubtful(Scripted):
    """Says that it is deterministic, so that equal requests are answered from the memo."""

    deterministic = True
    temperature = 0.0


def test_what_a_memo_answers_is_charged_but_is_no_call(study: Make) -> None:
    arms, calls = [Arm.static_call(), Arm.static_call().again()], Budget(calls=24)
    made = finish(study(*arms, lm=Doubtful(seed=1), seeds=1, workers=1, budget=calls))
    assert spent(made, "count(*)") == 48
    assert spent(made, "count(*)", "memo") == 24
    tokens = int(spent(made) * 0.75)
    cut = study(*arms, lm=Doubtful(seed=1), seeds=1, workers=1, name="t", budget=Budget(tokens=tokens))
    assert len(stops(cut)) == 1
    assert 0.6 * tokens < spent(cut, where="study = 't'") <= tokens


# What a user's program swallows.


def careless(task: Task) -> str:
    """Takes whatever goes wrong for an answer."""
    import dspy

    try:
        return str(dspy.Predict("note -> errand")(note=task.inputs["note"]).errand)
    except Exception:
        return "post"


def test_a_program_that_swallows_everything_cannot_swallow_a_budget(study: Make) -> None:
    cut = study(Arm.wrap(careless), seeds=1, baseline="program", budget=Budget(calls=5))
    assert len(stops(cut)) == 1
    assert len(cut.episodes()) == 5


# The estimate, and what is set aside.


def test_a_process_that_died_leaves_nothing_set_aside(study: Make) -> None:
    made = study(Arm.static(), seeds=2, budget=Budget(calls=3))
    made.folder.mkdir(parents=True)
    tally(made.ledger, made.name)
    first, second = (Purse(made.folder, made.budget, run, _no_wait) for run in made.runs)
    need = {"calls": 2, "tokens": 1, "dollars": 0.0, "seconds": 0.0}
    first.begin([])
    second.begin([])
    first.reserve(need)
    with pytest.raises(RuntimeError, match="waited"):
        second.reserve(need)  # would fit if the first one's came out at nothing
    Purse(made.folder, made.budget, made.runs[0], _no_wait).begin([])  # its run is taken up again
    second.reserve(need)
    second.kept(lambda call: None)(_call())
    second.reserve(need)
    second.kept(lambda call: None)(_call())
    with pytest.raises(BudgetSpent, match="has spent 2 of 3 and the next call may take 2"):
        second.reserve(need)
    with pytest.raises(BudgetSpent):
        first.check()


def _no_wait() -> None:
    raise RuntimeError("waited")


def _call() -> Call:
    return Call("stream", 0, "decide", 0, "acting", "", "ok", "", (), "", Usage(calls=1, input_tokens=1))


def test_one_purse_for_many_threads_loses_nothing(study: Make) -> None:
    made = study(Arm.static(), seeds=8, budget=Budget(calls=60))
    made.folder.mkdir(parents=True)
    tally(made.ledger, made.name)

    def work(run: object) -> int:
        purse = Purse(made.folder, made.budget, run, lambda: None)
        purse.begin([])
        write = purse.kept(lambda call: None)
        for done in range(20):
            try:
                purse.reserve({"calls": 1, "tokens": 0, "dollars": 0.0, "seconds": 0.0})
            except BudgetSpent:
                return done
            write(_call())
        return 20

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, made.runs)) == 60


# How it is said: in code, in a file, on the command line.

SPEC = """
[study]
name = "typed"
lm = "scripted"
seeds = 1

[stream]
use = "Desk"
tasks = 8

[budget]
tokens = 100000

[budget.arms.static]
calls = 6

[[arms]]
name = "static"
"""


def test_a_file_says_it_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(SPEC, encoding="utf-8")
    found = load(tmp_path, ledger=tmp_path / "ledger")
    assert found.budget == Budget(tokens=100_000, arms={"static": Budget(calls=6)})
    assert load(save(found, tmp_path / "again.toml"), ledger=tmp_path / "ledger").budget == found.budget
    plain = load(tmp_path, ledger=tmp_path / "ledger", budget=["static:calls=60", "seconds=5"])
    assert plain.budget.config() == {"tokens": 100_000, "seconds": 5.0, "arms": {"static": {"calls": 60}}}
    assert [run.id for run in plain.runs] == [run.id for run in found.runs]


def test_the_command_stops_says_which_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.toml").write_text(SPEC, encoding="utf-8")
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    assert main(["run", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "stopped: arm 'static', seed 0: budget stop: calls: arm 'static' has spent 6 of 6" in shown.err
    assert "budget stop: calls" in shown.out
    assert main(["run", str(tmp_path), "--budget", "static:calls=8"]) == 0


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("tokens = 0", "budget: tokens must be an integer above 0 but is 0"),
        ("tokens = 1.5", "must be an integer"),
        ("dollars = -1.0", "budget: dollars must be a number above 0"),
        ("token = 5", "has no key 'token'; did you mean 'tokens'?"),
        ("[budget.arms.statik]\ncalls = 1", "budget: no arm is called 'statik'; did you mean 'static'?"),
        ("[budget.arms.static]\nsecond = 1", "did you mean 'seconds'?"),
        ("arms = 3", "arms must be a table"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, table: str, told: str) -> None:
    head, rest = SPEC.split("[budget]\ntokens = 100000\n\n[budget.arms.static]\ncalls = 6\n")
    (tmp_path / "study.toml").write_text(f"{head}[budget]\n{table}\n{rest}", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(tmp_path)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["tokens", "tokens=many", "token=5", "m:n:calls"])
def test_limits_as_typed_are_checked(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.toml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(SpecError, match="budget"):
        load(tmp_path, budget=[text])


def test_an_unlimited_study_keeps_no_book(study: Make) -> None:
    made = finish(study(Arm.static(), seeds=1))
    assert not (made.folder / "budget.json").exists()
    assert "budget" not in made.config()
    assert not Budget()
