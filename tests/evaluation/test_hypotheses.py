"""Hypotheses are set down before the first run, survive every road, and are judged as one family."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.analysis import compare
from toolkit.errors import SpecError
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.pack import pack, replay_archive
from toolkit.evaluation.replay import replay
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval, Shuffled

Make = Callable[..., Study]

CLAIMS = (Hypothesis("m", direction="greater"), Hypothesis("sham", against="m", direction="different", margin=0.3))


def arms() -> list[Arm]:
    return [Arm.static(), Arm("m", memory=Retrieval()), Arm("sham", memory=Shuffled(Retrieval()))]


@pytest.fixture
def made(study: Make) -> Study:
    return study(*arms(), stream=Desk(tasks=16, queues=4), seeds=5, name="claims", hypotheses=CLAIMS)


def planned(study: Study) -> list[dict]:
    return json.loads((study.folder / "plan.json").read_text()).get("hypotheses", [])


def test_hypotheses_are_set_down_before_the_first_run_and_stay(made: Study, study: Make) -> None:
    finish(made)
    (first,) = planned(made)
    assert first["begun"] == 0
    assert first["at"].endswith("+00:00")
    assert first["hypotheses"][0] == {"against": "static", "arm": "m", "direction": "greater"}
    ids = [run.id for run in made.runs]
    finish(Study.open("claims", ledger=made.ledger))
    assert planned(made) == [first]
    again = study(*arms(), stream=Desk(tasks=16, queues=4), seeds=5, name="claims", hypotheses=())
    assert [run.id for run in again.runs] == ids  # no part of what a run is
    finish(again)
    assert planned(again) == [first]  # taking a claim back changes nothing once there are runs
    assert [one.registered for one in again.compare().hypotheses] == ["primary", "primary"]


def test_what_is_set_down_after_the_first_run_is_exploratory(made: Study, study: Make) -> None:
    finish(made)
    late = Hypothesis("sham", direction="less")
    more = finish(study(*arms(), stream=Desk(tasks=16, queues=4), seeds=5, name="claims", hypotheses=[*CLAIMS, late]))
    first, second = planned(more)
    assert (first["begun"], second["begun"]) == (0, 15)
    assert len(first["hypotheses"]) == 2
    found = more.compare()
    assert [one.registered for one in found.hypotheses] == ["primary", "primary", "late"]
    assert found.hypotheses[2].adjusted_p != found.hypotheses[2].adjusted_p
    assert found.row("sham").registered == "late"
    assert "exploratory: its hypothesis was registered after the first run" in found.row("sham").doubts
    assert "registered after the first run: exploratory" in found.row("sham").verdict


def test_a_claim_may_still_change_before_the_first_run(made: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.evaluation.plan import describe

    made.folder.mkdir(parents=True)
    describe(made, made.runs)
    made.hypotheses = CLAIMS[:1]
    finish(made)
    assert [len(one["hypotheses"]) for one in planned(made)] == [2, 1]
    (only,) = made.compare().hypotheses
    assert only.adjusted_p == only.p_value  # a family of one


def test_holm_runs_over_the_primary_ones_only_and_other_rows_are_exploratory(made: Study) -> None:
    found = finish(made).compare()
    raw, adjusted = zip(*((one.p_value, one.adjusted_p) for one in found.hypotheses), strict=True)
    assert min(adjusted) == pytest.approx(2 * min(raw))
    assert found.row("m").registered == "primary"
    assert found.row("m").adjusted_p == adjusted[0]
    assert "exploratory: none of the study's hypotheses" in found.row("sham").doubts
    notes = " ".join(found.notes)
    assert "2 primary hypotheses, set down " in notes
    assert "Hypothesis: m is above static: " in notes
    other = compare("claims", baseline="m", ledger=made.ledger)
    assert other.hypotheses == found.hypotheses
    assert other.row("sham").registered == "primary"
    assert set(found.frame.columns) >= {"bootstrap_low", "permutation_p", "exchangeable", "size", "adjusted_p"}
    assert "sign" in found.row("m").exchangeable


def test_without_hypotheses_that_is_said_once(study: Make) -> None:
    found = finish(study(*arms(), stream=Desk(tasks=6))).compare()
    assert sum("exploratory" in note for note in found.notes) == 1
    assert not any("exploratory" in doubt or "registered" in doubt for row in found.rows for doubt in row.doubts)
    assert "hypotheses" not in json.loads((study(*arms()).folder / "plan.json").read_text())


def test_an_edited_registration_is_told(made: Study) -> None:
    file = finish(made).folder / "plan.json"
    plan = json.loads(file.read_text())
    plan["hypotheses"][0]["hypotheses"][0]["direction"] = "less"
    file.write_text(json.dumps(plan))
    assert any("was edited afterwards" in note for note in made.compare().notes)


def test_the_file_round_trips(made: Study, tmp_path: Path) -> None:
    file = save(made, tmp_path / "study.toml")
    tables = tomllib.loads(file.read_text())["hypotheses"]
    assert tables[1] == {"arm": "sham", "against": "m", "direction": "different", "margin": 0.3}
    assert load(file, ledger=made.ledger.root).hypotheses == CLAIMS


def test_every_mistake_of_a_file_is_told_with_what_is_near(made: Study, tmp_path: Path) -> None:
    file = save(made, tmp_path / "study.toml")
    table = tomllib.loads(file.read_text())
    table["hypotheses"] += [{"armm": "m"}, {"arm": "m", "metric": 3}]
    file.write_text(tomli_w.dumps(table))
    with pytest.raises(SpecError) as told:
        load(file, ledger=made.ledger.root)
    shown = str(told.value)
    assert "hypothesis 3 has no key 'armm'" in shown
    assert "hypothesis 3 needs an 'arm'" in shown
    assert "hypothesis 4: metric must be a text but is 3" in shown
    file.write_text(tomli_w.dumps(table | {"hypotheses": 3}))
    with pytest.raises(SpecError, match="must be tables"):
        load(file, ledger=made.ledger.root)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (Hypothesis("mm"), "no arm is called 'mm'; did you mean 'm'"),
        (Hypothesis("static"), "compared with itself"),
        (Hypothesis("m", direction="grater"), "direction must be one of greater, less, different but is 'grater'"),
        (Hypothesis("m", margin=-1), "margin must be a number above 0 but is -1"),
        (Hypothesis("m", metric="speed"), "no scorer of the study is called 'speed'"),
    ],
)
def test_a_study_refuses_what_it_cannot_test(study: Make, claim: Hypothesis, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        study(*arms(), hypotheses=[claim])
    with pytest.raises(SpecError, match="two hypotheses say the same"):
        study(*arms(), hypotheses=[Hypothesis("m"), Hypothesis("m", against="static")])


def test_replay_and_anonymous_packs_keep_the_registration(made: Study, tmp_path: Path) -> None:
    finish(made)
    assert replay(made.ledger, "claims").identical
    packed = pack(made.ledger, "claims", tmp_path / "claims.zip", anonymous=True)
    assert replay_archive(packed.path).identical


def test_a_reused_run_was_known_before(study: Make) -> None:
    finish(study(*arms()[:1], name="first", lm=Scripted()))
    second = finish(study(*arms()[:2], name="second", reuse=True, hypotheses=[Hypothesis("m")]))
    (one,) = planned(second)
    assert one["begun"] == 2
    assert second.compare().hypotheses[0].registered == "late"
