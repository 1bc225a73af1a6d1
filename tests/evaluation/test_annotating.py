"""Queues for people: as many of every arm, orders of the raters' own, and opinions that never pass for scores."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from errands import Errands, finish, rewrite
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.evaluation.annotating import Queue, drawn, queue, ratings, shuffled, sides
from toolkit.evaluation.sheet import Sheet
from toolkit.ledger.log import LedgerError
from toolkit.lm.model import Model
from toolkit.lm.scripted import replied, turns_of

Make = Callable[..., tk.Study]
KEYS = st.lists(st.text("abcdef0123", min_size=1, max_size=6), unique=True, max_size=20)
SEEDS, NAMES = st.integers(0, 2**40), st.text("abcäö ", min_size=1, max_size=8)


class LenientJudge(Model):
    """5 for a right errand, 3 for a wrong one."""

    scripted = True
    ways = ("generation",)

    def engine(self, stream):
        return LenientEngine()


class LenientEngine:
    """Plays it."""

    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def complete(self, request):
        system, _, question = turns_of(request)
        told = dict(line.split(": | ", 1) for line in question.splitlines() if ": | " in line)
        return replied(request, "5" if told["Answer"][::-1] in told["Task"] else "3", [system, question], 1)


@pytest.fixture
def made(study: Make) -> tk.Study:
    return finish(study(tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2)), stream=Errands(12), seeds=3))


def right(queue_: Queue, key: str, place: int = 0) -> bool:
    item = queue_.items[key]
    return str(item.answers[place])[::-1] in item.asked


def rate_all(queue_: Queue, rater: str, says: Callable[[str, bool], str]) -> None:
    """One rater, to the end; ``says`` is told the item and whether it is shown the other way round."""
    sitting = queue_.rater(rater)
    while (look := sitting.look()).item is not None:
        sitting.rate(says(look.item.key, look.swapped))


@given(KEYS, SEEDS, NAMES, st.randoms())
def test_orders_and_sides_are_shuffles_that_are_the_raters_own(keys, seed, rater, chance) -> None:
    mixed = chance.sample(keys, len(keys))
    order, swapped = shuffled(keys, seed, rater), sides(keys, seed, rater)
    assert sorted(order) == sorted(keys)
    assert order == shuffled(mixed, seed, rater)
    assert swapped == sides(mixed, seed, rater)
    assert set(swapped) == set(keys)
    assert abs(2 * sum(swapped.values()) - len(keys)) <= 1


def test_orders_and_sides_differ_between_raters_and_seeds() -> None:
    keys = [str(n) for n in range(30)]
    for of in (shuffled, sides):
        assert len({str(of(keys, seed, rater)) for seed in range(4) for rater in ("ann", "bob")}) == 8
    odd = [sum(sides("abc", seed, "ann").values()) for seed in range(40)]
    assert set(odd) == {1, 2}  # nor does the one that is left over always go the same way


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_as_many_are_drawn_of_every_arm_whatever_is_drawn(seed: int, n: int) -> None:
    told = [
        (arm, number, "ok" if (arm, number % 5) != ("b", 2) else "failed")
        for arm in ("a", "b", "c")
        for number in range(12)
    ]
    rows = pd.DataFrame(told, columns=["arm", "t", "status"]).assign(
        stream="s", order="o", seed=0, usable=True, inputs=[{"note": str(number)} for _, number, _ in told],
        answer=[f"{arm} {number}" for arm, number, _ in told], run=[arm for arm, _, _ in told],
        task=[f"t{number}" for _, number, _ in told],
    )  # fmt: skip
    kept = drawn(rows, Sheet(n=n, seed=seed), ["a", "b", "c"])
    places = [place for item in kept["items"] for place in item["places"]]
    assert set(Counter(place["run"] for place in places).values()) == {min(n, 10)}
    assert not any(place["t"] % 5 == 2 for place in places)
    assert len({(place["run"], place["t"]) for place in places}) == len(places)
    assert kept == drawn(rows.sample(frac=1, random_state=seed), Sheet(n=n, seed=seed), ["a", "b", "c"])


def test_a_queue_is_the_same_for_good_and_goes_on_where_a_rater_was(study: Make, made: tk.Study) -> None:
    sheet = Sheet(n=8, choices="right/wrong")
    first = queue(made, sheet)
    sitting = first.rater("Ann")
    shown = []
    for _ in range(3):
        shown.append(sitting.look().item.key)
        sitting.rate("right")
    more = finish(study(tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2)), stream=Errands(12), seeds=5))
    again = queue(more, sheet)
    assert again.items == first.items
    look = again.rater(" ann ").look()
    assert (look.done, look.of) == (3, len(first.items))
    assert look.item.key not in shown
    assert again.rater("bob").look().done == 0
    again.rater("ann").undo()
    assert again.rater("ann").look().item.key == shown[-1]
    assert queue(made.name, Sheet(n=8, choices="right/wrong", seed=1), ledger=made.ledger).rater("ann").look().done == 0


def test_equal_answers_are_asked_once_and_count_for_each(made: tk.Study) -> None:
    kept = queue(made, Sheet(n=30, choices="right/wrong"))
    assert len(kept.items) < 60
    rate_all(kept, "ann", lambda key, _: "right" if right(kept, key) else "wrong")
    found = ratings(made)
    score = {(row.run, row.t): row.score for row in made.episodes().itertuples()}
    assert {row.episodes for row in found.rows} == {30}
    assert all(row.rated == score[row.run, row.t] for row in found.frame.itertuples())
    by_arm = found.frame.groupby("arm").rated.mean()
    for row in found.rows:
        assert row.estimate.value == pytest.approx(by_arm[row.arm])
    assert found.row("memory").difference.value == pytest.approx(by_arm["memory"] - by_arm["static"])


def test_opinions_of_people_never_pass_for_scores(made: tk.Study) -> None:
    hashes = [record.hash for record in made.records()]
    kept = queue(made, Sheet(n=5))
    rate_all(kept, "ann", lambda key, _: "4")
    found = ratings(made)
    assert str(found).startswith("RATED by people, not scored: ratings (scale) by ann, blind to the arm")
    assert found._repr_html_().startswith("<p><b>RATED by people, not scored")
    for frame in (found.frame, found.human(), found.skipped, made.ledger.sql("SELECT * FROM ratings")):
        assert not any("score" in name for name in frame.columns)
    assert not any("score" in name for name in found.table()[0])
    assert [record.hash for record in made.records()] == hashes
    assert "rated" not in made.episodes()
    assert "human" not in str(made.compare())


def test_what_computes_exact_figures_knows_no_opinions() -> None:
    package, knowing = Path(tk.__file__).parent, set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith((".rated", ".judged")):
                knowing.add(path.relative_to(package).as_posix())
    assert knowing == {
        "analysis/__init__.py", "analysis/rated.py", "evaluation/annotating.py", "evaluation/judging.py",
        "widgets/annotation.py",
    }  # fmt: skip


def test_people_correct_a_judge(made: tk.Study) -> None:
    judged = tk.judge(made, tk.Rater(LenientJudge(), "5: the errand. 1: another."))
    kept = queue(made, Sheet(n=30, choices="right/wrong"))
    rate_all(kept, "ann", lambda key, _: "right" if right(kept, key) else "wrong")
    rate_all(kept, "bob", lambda key, _: "right" if right(kept, key) else "wrong")
    people = tk.ratings(made).human()
    assert list(people) == ["run", "t", "human"]
    assert set(people.human) <= {0.0, 1.0}
    corrected = judged.corrected(people)
    for arm, own in made.episodes().groupby("arm"):
        found = corrected.row(str(arm)).found
        assert found.rated == (30,)
        assert found.estimate.value == pytest.approx(own.score.mean())  # this judge errs in scale alone
        assert found.weights[0] == pytest.approx(0.5)


def test_agreement_is_shown_once_two_have_rated_the_same(made: tk.Study) -> None:
    kept = queue(made, Sheet(n=20))
    rate_all(kept, "ann", lambda key, _: "5" if right(kept, key) else "2")
    assert ratings(made).agreements() == ()
    one = kept.rater("bob")
    for _ in range(4):
        one.rate("5" if right(kept, one.look().item.key) else "1")
    alpha, kappa = ratings(made).agreements()
    assert (alpha.units, alpha.raters, alpha.left_out) == (4, 2, len(kept.items) - 4)
    assert alpha.measure == "Krippendorff's alpha (ordinal)"
    assert kappa.measure == "Cohen's kappa"
    assert f"Between raters: {alpha}." in ratings(made).notes
    rate_all(kept, "bob", lambda key, _: "5" if right(kept, key) else "2")
    rate_all(kept, "cy", lambda key, _: "5" if right(kept, key) else "2")
    assert [one.measure for one in ratings(made).agreements()][1] == "Fleiss' kappa"
    with pytest.raises(ValueError, match="Cohen's kappa needs 2 raters"):
        ratings(made).agreement("cohen")
    with pytest.raises(ValueError, match="measure must be"):
        ratings(made).agreement("pearson")  # type: ignore[arg-type]


def test_preferences_go_to_arms_wherever_their_answers_stood(made: tk.Study) -> None:
    kept = queue(made, Sheet(pair=("memory", "static"), n=40))
    many = len(kept.items)
    rate_all(kept, "fair", lambda key, swapped: "b" if right(kept, key) == swapped and right(kept, key) else
             "a" if right(kept, key) else "tie" if not right(kept, key, 1) else "a" if swapped else "b")  # fmt: skip
    found = ratings(made)
    [row] = found.rows
    assert (row.arm, found.baseline) == ("memory", "static")
    wins = {key: 1.0 if right(kept, key) else -1.0 if right(kept, key, 1) else 0.0 for key in kept.items}
    each = found.frame.drop_duplicates("item")
    assert dict(zip(each["item"], each.rated, strict=True)) == wins
    assert set(found.frame.against) == {"static"}
    assert row.estimate.value == pytest.approx(found.frame.rated.mean())
    assert dict(row.said) == {name: int((found.frame.rated == value).sum())
                              for name, value in (("won", 1), ("tied", 0), ("lost", -1))}  # fmt: skip
    assert all(len(set(item.answers)) == 2 for item in kept.items.values())
    assert "the answers are equal: tied, unasked" in str(found)
    with pytest.raises(ValueError, match="a mean needs numbers but pair was asked"):
        found.human()
    blind = queue(made, Sheet(pair=("memory", "static"), n=40, name="blind"))
    rate_all(blind, "always-a", lambda *_: "a")
    [row] = ratings(made, "blind").rows
    assert row.first.value == 1.0
    told = ratings(made, "blind").frame.drop_duplicates("item")
    assert abs(told.rated.sum()) <= many % 2  # each arm stood at A half the time


def test_skips_are_missing_and_told_with_their_reasons(made: tk.Study) -> None:
    kept = queue(made, Sheet(n=4, choices=("good", "bad")))
    sitting = kept.rater("ann")
    sitting.skip(" unreadable ")
    sitting.rate("bad")
    with pytest.raises(ValueError, match="for a reason"):
        sitting.skip("  ")
    with pytest.raises(ValueError, match="one of good, bad but is 'fair'"):
        sitting.rate("fair")
    found = ratings(made)
    assert list(found.skipped.why) == ["unreadable"]
    assert "Skipped, and missing here: ann 1" in str(found)
    assert sum(many for row in found.rows for name, many in row.said if name == "bad") == len(found.frame) >= 1
    assert all(row.estimate is None for row in found.rows)
    with pytest.raises(ValueError, match="labels was asked"):
        found.human()


def test_arms_that_gave_no_answer_stay_in_the_draw(made: tk.Study) -> None:
    run = next(run for run in made.runs if run.arm.name == "memory")
    rewrite(made.folder / "runs" / run.folder, "episodes", lambda rows: [row.update(status="overflow") for row in rows])
    kept = queue(made, Sheet(n=36))
    silent = [item for item in kept.items.values() if item.answers == (None,)]
    assert {place.run for item in silent for place in item.places} == {run.id}
    assert sum(len(item.places) for item in silent) == 12


def test_an_answer_that_changed_since_it_was_drawn_is_refused(made: tk.Study) -> None:
    kept = queue(made, Sheet(n=4))
    place = next(iter(kept.items.values())).places[0]
    folder = next(run.folder for run in made.runs if run.id == place.run)

    def change(rows: list[dict]) -> None:
        for row in rows:
            row.update(answer="another") if row["t"] == place.t else None

    rewrite(made.folder / "runs" / folder, "episodes", change)
    with pytest.raises(LedgerError, match="not the one that was drawn"):
        queue(made, Sheet(n=4))


def test_mistakes_of_a_sheet_are_refused_with_the_way_out(made: tk.Study) -> None:
    for wrong, why in (
        (Sheet(n=0), "n must be a whole number"),
        (Sheet(seed=-1), "seed must be"),
        (Sheet(name="../up"), "name is that of a folder"),
        (Sheet(pair=("static",)), "two arms that differ"),
        (Sheet(pair=("static", "memory"), choices="right/wrong"), "leave choices and arms out"),
        (Sheet(choices="good"), "but is 'good'"),
        (Sheet(choices=()), "not both"),
        (Sheet(choices=(1, "a")), "not both"),
        (Sheet(choices=(True, False)), "not both"),
        (Sheet(choices=(1, 1)), "differ"),
        (Sheet(choices=tuple(range(11))), "2 to 10"),
        (Sheet(choices=(3, 1)), "ascend"),
        (Sheet(choices=("a", " ")), "is empty"),
    ):
        with pytest.raises(SpecError, match=why):
            queue(made, wrong)
    with pytest.raises(LedgerError, match="the arm 'x' has no episodes"):
        queue(made, Sheet(arms=("x",)))
    with pytest.raises(LedgerError, match="no queue of this study: 'nothing'"):
        ratings(made, "nothing")
    queue(made, Sheet(n=2))
    queue(made, Sheet(n=3))
    with pytest.raises(LedgerError, match="2 queues of this study"):
        ratings(made)
    told = json.loads(next(made.folder.glob("rated/*/queue.json")).read_text())
    assert told["arms"] == ["static", "memory"]


def test_keys_are_digits_whatever_the_scale() -> None:
    assert [one.key for one in Sheet(choices=(0, 5, 9)).offered] == ["0", "5", "9"]
    assert [one.key for one in Sheet(choices=(-1, 0, 1)).offered] == ["1", "2", "3"]
    assert [one.key for one in Sheet(choices=tuple(range(1, 11))).offered] == [*"123456789", "0"]
    assert [one.key for one in Sheet(choices=("yes", "no")).offered] == ["1", "2"]
    assert Sheet(choices=(-1, 0, 1)).rated("-1") == -1.0
