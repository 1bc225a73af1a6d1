"""The methods paragraph: each sentence true for the study at hand, each reference there, as text and as LaTeX."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm, floors
from toolkit.analysis import second_pass
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.report.facts import gather, signed
from toolkit.report.heard import heard_in_words
from toolkit.report.methods import Methods, methods
from toolkit.report.references import REFERENCES
from toolkit.streams.channel import Channel, FullLabel, OneBit, Scalar
from toolkit.streams.channels import (
    Adversarial,
    Critique,
    Delayed,
    HumanFeedback,
    Implicit,
    Missing,
    Noisy,
    Preference,
    ShuffledFeedback,
)
from toolkit.streams.desk import Desk
from toolkit.traits.memory import MemoryPolicy, Retrieval

Make = Callable[..., Study]


class Cold(Scripted):
    """Plays a model of temperature 0."""

    scripted = False
    temperature = 0.0


class Forgetting(MemoryPolicy):
    """Fails in the middle of a run."""

    def observe(self, experience: object) -> None:
        raise OSError("no room")


def told(study: Study) -> str:
    return "\n".join(of(study).texts)


def of(study: Study) -> Methods:
    return methods(gather(study.ledger, study.name))


def test_a_comparison_of_several_arms(study: Make) -> None:
    text = told(finish(study(Arm.static(), Arm("memory", memory=Retrieval()), *floors(), seeds=4)))
    assert "We compared 5 arms (memory, nearest, most-frequent, random and truth) with static on errands" in text
    assert "(24 tasks)." in text
    assert "All arms met the same tasks in the same orders, with 4 seeds, each with an order of its own" in text
    assert "Of each answer agents learned the score and a right answer." in text
    assert "No language model is used by nearest, most-frequent, random and truth." in text
    assert "Differences to static are means over 96 pairs" in text
    assert (
        "robust to clustering by run and by session, crossed [2, 3], and Satterthwaite's degrees of freedom [4]" in text
    )
    assert "The 5 contrasts are not corrected for their number." in text
    assert "Fieller" in text


def test_hypotheses_make_a_family_and_the_rest_is_exploratory(study: Make) -> None:
    arms = (Arm.static(), Arm("memory", memory=Retrieval()), *floors())
    none = told(finish(study(*arms, seeds=4)))
    assert "No hypothesis was set down before the first run: every contrast is exploratory." in none
    assert "Holm" not in none
    claims = [Hypothesis("memory"), Hypothesis("nearest", direction="different", margin=0.2)]
    made = of(finish(study(*arms, seeds=4, name="claimed", reuse=False, hypotheses=claims)))
    text = "\n".join(made.texts)
    assert "2 hypotheses were set down before the first run; verdicts on them are at 0.05 over the family" in text
    assert "not corrected" not in text
    assert {"holm1979", "owen2012", "phipson2010"} <= set(made.keys)


def test_a_second_pass_is_told_and_shown(study: Make) -> None:
    arms = (Arm.static(), Arm("memory", memory=Retrieval()))
    once = finish(study(*arms, seeds=3))
    assert "second pass" not in told(once)
    assert "all updating off" not in once.report().read_text(encoding="utf-8")
    twice = finish(study(*arms, seeds=3, name="twice", second_pass="same"))
    assert "each run met the same tasks in the same orders in a second pass." in told(twice)
    page = twice.report().read_text(encoding="utf-8")
    assert "The second pass, with all updating off" in page
    assert f"{second_pass(twice).row('memory').frozen.value:.3f}" in page
    held = finish(study(*arms, seeds=3, name="held", second_pass=Errands(tasks=9)))
    assert "each run met held-out tasks in a second pass." in told(held)


def test_a_report_shows_hypotheses_and_the_other_roads(study: Make) -> None:
    arms = (Arm.static(), Arm("memory", memory=Retrieval()))
    claimed = finish(
        study(*arms, seeds=4, name="claimed", reuse=False, hypotheses=[Hypothesis("memory", direction="greater")])
    )
    page = claimed.report().read_text(encoding="utf-8")
    assert "<h3>Hypotheses</h3>" in page
    assert "memory is above static" in page
    assert "The same by other roads" in page
    found = claimed.compare().row("memory")
    assert f"[{signed(found.bootstrap.low)}, {signed(found.bootstrap.high)}]" in page
    assert "primary" in page


def test_a_scripted_model_is_no_finding(study: Make) -> None:
    assert "this is a rehearsal and no finding about any real model" in told(finish(study(Arm.static())))
    text = told(finish(study(Arm.static(), lm=Cold(), name="cold")))
    assert "rehearsal" not in text
    assert "The language model was cold at temperature 0. At temperature 0 the model draws nothing" in text


def test_without_a_model_none_is_named(study: Make) -> None:
    text = told(finish(study(*floors())))
    assert "The language model was" not in text
    assert "options" not in text


def test_several_streams_and_orders_are_named(study: Make) -> None:
    streams = {"stream": Errands(12), "streams": [Desk(tasks=10)]}
    text = told(finish(study(Arm.static(), **streams, order=["shuffled", "given"], channel=OneBit())))
    assert "on errands (12 tasks) and desk (10 tasks)." in text
    assert "orders: shuffled and given." in text
    assert "Of each answer agents learned whether it was right." in text


def test_the_given_order_is_called_so(study: Make) -> None:
    assert "in the stream's own order." in told(finish(study(Arm.static(), order="given", seeds=1)))


def test_tasks_without_sessions_are_their_own_clusters(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(sessions=False), seeds=4))
    assert "by run and by task, crossed" in told(made)


def test_one_arm_and_one_run_claim_nothing(study: Make) -> None:
    text = told(finish(study(Arm.static(), seeds=1)))
    assert "We ran one arm, static, on errands" in text
    assert "there are too few runs for intervals" in text
    assert not re.search("[Dd]ifference|contrasts|Satterthwaite|Fieller|cross", text)
    text = told(finish(study(Arm.static(), Arm("memory", memory=Retrieval()), seeds=1, name="two")))
    assert "Differences are given without intervals" in text
    assert not re.search("Satterthwaite|Fieller", text)


def test_what_did_not_finish_is_told(study: Make) -> None:
    made = study(Arm.static(), Arm("broken", memory=Forgetting()), seeds=2)
    made.run()
    text = told(made)
    assert "2 of 4 planned runs had finished" in text
    assert "Satterthwaite" not in text or "broken" in text


def test_before_anything_was_recorded_only_the_design_is_told(study: Make) -> None:
    from toolkit.evaluation.plan import describe

    made = study(Arm.static(), Arm("memory", memory=Retrieval()))
    made.folder.mkdir(parents=True)
    describe(made, made.runs)
    text = told(made)
    assert "We compared 1 arm (memory) with static" in text
    assert "0 of 4 planned runs had finished" in text
    assert not re.search("Differences|Scores|curves", text)


def test_versions_are_those_of_the_environment(study: Make) -> None:
    made = finish(study(Arm.static()))
    path = made.folder / "environment.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["packages"] |= {"dspy": "9.9.9", "numpy": ""}
    path.write_text(json.dumps(found), encoding="utf-8")
    text = told(made)
    assert f"Software: Python {found['python']}, adaptive-agents-toolkit" in text
    assert re.search(r"DSPy 9\.9\.9 \[\d\]", text)
    assert "NumPy" not in text
    path.unlink()
    assert "Software" not in told(made)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Methods:
    arms = [Arm.static(), Arm("a_b", memory=Retrieval()), *floors()]
    folder = tmp_path_factory.mktemp("methods") / "ledger"
    return of(finish(Study("told", Errands(), arms=arms, lm=Scripted(), seeds=4, ledger=folder)))


def test_every_citation_has_its_reference_and_the_other_way_round(made: Methods) -> None:
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", made.to_latex()) for key in keys.split(",")}
    entries = set(re.findall(r"@\w+\{(\w+),", made.bibtex()))
    assert cited == entries == set(made.keys)
    numbers = {int(n) for group in re.findall(r"\[([\d, ]+)\]", "\n".join(made.texts)) for n in group.split(",")}
    assert numbers == set(range(1, len(made.references) + 1))


def test_latex_escapes_the_names(made: Methods) -> None:
    assert r"a\_b" in made.to_latex()
    assert not re.search(r"(?<!\\)[_&%#]", re.sub(r"\\cite\{[^}]*\}", "", made.to_latex()))


@pytest.mark.parametrize("key", REFERENCES)
def test_entries_are_whole(key: str) -> None:
    one = REFERENCES[key]
    assert one.key == key
    assert one.bibtex.count("{") == one.bibtex.count("}")
    assert str(one.year) in one.bibtex
    assert re.search(r"author = .*\n  title = .*\n  (journal|booktitle|howpublished) = ", one.bibtex)
    assert not re.search(r"(?<!\\)&", one.bibtex)
    assert str(one).startswith(one.author.split(" and ")[0])
    assert "{" not in str(one)


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        (Critique(), "whether it was right and, in words, what was wrong with it."),
        (Critique(reveals=True, scored=False), "in words alone what was wrong with it and what would have been right."),
        (
            Implicit(p_retry=0.5, p_correct=0.25),
            "what a simulated user says who does not rate (of wrong ones, 25 % were met with the right one in words, "
            "50 % with a wish to try again, all others and the right ones with silence).",
        ),
        (Preference(), "whether it was better than another answer (any other, drawn at random)."),
        (HumanFeedback(grades=3), "what a person said of it (one of 3 grades, a right answer, words, or nothing)."),
        (Adversarial(Scalar(), share=0.8), "the score, of 80 % of the answers a lie to mislead them."),
        (
            ShuffledFeedback(FullLabel()),
            "the score and a right answer, but as it was for another, earlier task (a sham).",
        ),
        (
            Delayed(Missing(Noisy(OneBit(), rate=0.3), share=0.5), by=5),
            "whether it was right, of 30 % of the answers something false, of 50 % of the answers nothing, 5 tasks "
            "later than the stream says.",
        ),
    ],
)
def test_what_agents_heard_is_told_for_every_channel(channel: Channel, told: str) -> None:
    planned = {"channel": repr(channel), "arms": {"a": {}, "b": {"channel": "OneBit()"}}}
    alone = {"channel": repr(channel), "arms": {"a": {}}}
    assert f"Of each answer agents learned {told}" in f"{heard_in_words(alone)}"
    assert heard_in_words(planned).endswith("; b learned whether it was right.")


@pytest.mark.parametrize("told", ["(" * 500 + "1", "-" * 200_000 + "1", "a" + ".b" * 50_000, "\0"])
def test_what_is_no_channel_breaks_no_report(told: str) -> None:
    assert heard_in_words({"channel": told, "arms": {"a": {}}}) == f"Feedback to agents: {told}."


def test_a_channel_that_is_not_known_is_named_as_it_stands() -> None:
    planned = {"channel": "__import__('os').getcwd()", "arms": {"a": {"channel": "Noisy(of=Praise(), rate=0.1)"}}}
    assert heard_in_words(planned) == (
        "Feedback to agents: __import__('os').getcwd(); a: Noisy(of=Praise(), rate=0.1)."
    )
