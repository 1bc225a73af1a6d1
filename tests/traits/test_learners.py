"""Learners without an optimiser: what they keep, and what every prompt carries because of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from errands import Errands, finish, prompts
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.component import digest
from toolkit.errors import AnswerError
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted, ScriptedEngine, replied, turns_of
from toolkit.records import Experience, Feedback, Learned, Task
from toolkit.traits.learning import Cheatsheet, DemoBuffer, Learner, Playbook
from toolkit.traits.learning.playbook import Bullet


def begun(learner: Learner, think=lambda step, **inputs: "") -> Learner:
    learner.check()
    learner.reset(np.random.default_rng(0), think)
    return learner


def told(number: int, answer: str = "a", right: str = "a", text: str = "") -> Experience:
    feedback = Feedback(float(answer == right), right, text)
    return Experience(f"stream/{number}", Task(f"t{number}", {"note": f"note {number}"}), answer, feedback)


def kept(buffer: Learner) -> list[str]:
    return [one.source.removeprefix("stream/") for one in buffer.learned().examples]


def lived(learner: Learner, cases: list[tuple[str, str]]) -> Learner:
    for number, (answer, right) in enumerate(cases):
        learner.observe(told(number, answer, right))
    return learner


# demonstrations

CASES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=20)


def test_the_buffer_of_the_latest_is_what_it_was() -> None:
    assert DemoBuffer(4).config() == {"use": "DemoBuffer", "size": 4}
    assert DemoBuffer(4).fingerprint() == digest(["learning", {"use": "DemoBuffer", "size": 4}, 1, "", []])
    assert kept(lived(begun(DemoBuffer(3)), [("a", "a")] * 5)) == ["2", "3", "4"]
    assert set(begun(DemoBuffer(3)).state()) == {"examples"}


@given(cases=CASES, size=st.integers(1, 6))
def test_coverage_keeps_the_latest_of_as_many_answers_as_there_is_room_for(
    cases: list[tuple[str, str]], size: int
) -> None:
    buffer = lived(begun(DemoBuffer(size, "coverage")), cases)
    shown = [one.answer for one in buffer.learned().examples]
    assert len(shown) == min(size, len(cases))
    assert len(set(shown)) == min(size, len({right for _, right in cases}))
    for answer in set(shown) if size >= 3 else ():
        last = max(number for number, (_, right) in enumerate(cases) if right == answer)
        assert str(last) in kept(buffer)


@given(cases=CASES, size=st.integers(1, 6))
def test_mistakes_stay_before_successes(cases: list[tuple[str, str]], size: int) -> None:
    buffer = lived(begun(DemoBuffer(size, "mistakes")), cases)
    wrong = [str(number) for number, (answer, right) in enumerate(cases) if answer != right]
    right = [str(number) for number, (answer, right) in enumerate(cases) if answer == right]
    room = max(0, size - len(wrong))
    assert kept(buffer) == sorted([*wrong[-size:], *(right[-room:] if room else [])], key=int)


def test_a_way_of_keeping_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="keep must be 'coverage', 'mistakes' or None but is 'best'"):
        DemoBuffer(2, "best").check()


# what the model writes

GOOD, BAD = "Read the note from right to left.", "Always name the first errand."


class Coach(Scripted):
    """Better by .5 with a good rule in the prompt, worse by .25 with a bad one; asked for a rule it gives either."""

    def __init__(self, p: float = 0.35, says: tuple[str, ...] = (BAD, "1. 2. 3.", GOOD)) -> None:
        super().__init__(p, p, gains={GOOD: 0.5, BAD: -0.25})
        self.says = says

    def engine(self, stream):
        return CoachEngine(self, [*stream.pairs(), *stream.pool()])


class CoachEngine(ScriptedEngine):
    asked = 0

    def complete(self, request):
        question = turns_of(request)[2]
        if "Outcome:" not in question and "Cases:" not in question:
            return super().complete(request)
        self.asked += 1
        text = self._skill.says[self.asked % len(self._skill.says)]
        return replied(request, text, [question], 5)


def test_a_playbook_finds_the_rule_that_helps_and_is_charged_for_it(study: Callable[..., Study]) -> None:
    arms = [Arm.static_call("static"), Arm("book", learning=Playbook(every=4), transcript=False)]
    made = finish(study(*arms, stream=Errands(90, delay=2, sessions=False), lm=Coach(), seeds=3))
    gained = made.compare().row("book").difference
    assert gained is not None
    assert gained.low > 0, gained
    rows = made.episodes()
    book = rows[rows.arm == "book"]
    assert book[book.t >= 50].score.mean() > book[book.t < 20].score.mean() + 0.2
    told = book.groupby("seed").score.apply(lambda scores: int((scores.iloc[:-3] < 1).sum()))
    assert (book.groupby("seed").adapting_calls.sum() == told).all(), "a call for each wrong answer that was told"
    plain, said = prompts(made, "static"), [one for one in prompts(made, "book") if "Outcome" not in one]
    assert said[:2] == plain[:2]
    assert any("Playbook:" in one for one in said)
    assert GOOD in said[-1]
    assert made.replay().identical


def test_a_cheatsheet_is_rewritten_and_what_is_no_use_is_not_kept(study: Callable[..., Study]) -> None:
    arms = [Arm.static_call("static"), Arm("sheet", learning=Cheatsheet(every=6), transcript=False)]
    made = finish(study(*arms, stream=Errands(40, sessions=False), lm=Coach(says=("1. 2. 3.", GOOD)), seeds=3))
    gained = made.compare().row("sheet").difference
    assert gained is not None
    assert gained.low > 0, gained
    rows = made.episodes()
    assert (rows[rows.arm == "sheet"].groupby("seed").adapting_calls.sum() == 6).all()
    assert f"Cheatsheet: {GOOD}" in prompts(made, "sheet")[-1]


@pytest.mark.parametrize("learner", [Playbook(every=1), Cheatsheet(every=1)])
@pytest.mark.parametrize("says", ["", "1. 2. 3. 4.", "the return of the return of the return of the return of the"])
def test_nonsense_is_counted_and_nothing_is_learned(learner: Learner, says: str) -> None:
    lived(begun(learner, lambda step, **inputs: says), [("a", "b")] * 3)
    assert learner.learned() == Learned()
    assert learner.state()["unusable"] == 3


def test_an_answer_that_does_not_parse_ends_no_life() -> None:
    def failing(step, **inputs):
        raise AnswerError("unparsed", "nonsense")

    for learner in (Playbook(every=1), Cheatsheet(every=1)):
        lived(begun(learner, failing), [("a", "b")] * 2)
        assert learner.state()["unusable"] == 2


def test_what_is_learned_stays_on_its_line_and_within_its_bounds() -> None:
    long = "never trust\n\nNote: a lamp\x07 " + " ".join(f"word{number}" for number in range(2000))
    book = lived(begun(Playbook(size=2, every=1), lambda step, **inputs: long), [("a", "b")])
    sheet = lived(begun(Cheatsheet(characters=100, every=1), lambda step, **inputs: long), [("a", "b")])
    assert book.learned().notes.startswith("Playbook:\n- never trust Note: a lamp word0")
    assert book.learned().notes.count("\n") == 1
    assert len(book.learned().notes) < 420
    assert len(sheet.learned().notes) <= len("Cheatsheet: ") + 100


class Restless:
    """Chance that lets nothing rest."""

    def integers(self, high: int) -> int:
        return high - 1


def judged(book: Playbook, scores: list[float], first: int) -> None:
    for number, score in enumerate(scores, first):
        book.applied(f"stream/{number}")
        book.observe(Experience(f"stream/{number}", Task("t", {"note": "n"}), "a", Feedback(score)))


def test_a_piece_is_counted_where_it_stood_and_goes_when_answers_are_worse_with_it() -> None:
    book = begun(Playbook(every=10), lambda step, **inputs: "Always name the first.")
    book._rng = Restless()
    judged(book, [0.0, 1.0] * 5, 0)
    assert [(one.text, one.tried) for one in book.bullets] == [("Always name the first.", 0)]
    for number in range(10, 20):
        book.applied(f"stream/{number}")
    judged(book, [1.0] * 10, 20)  # what is late is late
    assert [(one.helpful, one.harmful) for one in book.bullets] == [(10.0, 0.0)]
    for number in range(10, 20):
        book.observe(Experience(f"stream/{number}", Task("t", {"note": "n"}), "a", Feedback(0.0)))
    assert [(one.helpful, one.harmful) for one in book.bullets] == [(10.0, 10.0)], "half, as without it"
    judged(book, [0.0] * 20, 30)
    assert book.bullets == (), "a quarter, where without it half were right"
    assert book.dropped == ("Always name the first.",)
    judged(book, [0.0] * 10, 50)
    assert book.bullets == (), "it does not come straight back"


def test_one_piece_at_most_rests_and_what_is_without_it_is_not_counted_for_it() -> None:
    said = iter(f"Rule {word} is {word} indeed." for word in ("one", "two", "three", "four", "five", "six") * 9)
    book = begun(Playbook(size=3, every=2), lambda step, **inputs: next(said))
    rested = set()
    for number in range(0, 40, 2):
        before = {one.number: one.tried for one in book.bullets}
        shown = book.learned().notes
        rests = {one.number for one in book.bullets if one.text not in shown}
        assert rests == ({book.resting} & set(before))
        rested |= rests
        judged(book, [0.0, 1.0], number)
        for one in book.bullets:
            if one.number in before:
                assert one.tried - before[one.number] == (0 if one.number in rests else 2)
    assert rested


def test_where_most_answers_are_wrong_a_piece_that_helps_is_not_dropped_for_that() -> None:
    book = begun(Playbook(every=10), lambda step, **inputs: "Read it twice, slowly.")
    book._rng = Restless()
    judged(book, [0.0] * 9 + [1.0], 0)
    judged(book, ([0.0, 0.0, 1.0] * 10)[:30], 10)
    [piece] = book.bullets
    assert piece.harmful > piece.helpful


@given(said=st.lists(st.text(alphabet="abc ", max_size=12), max_size=12), size=st.integers(1, 4))
def test_a_playbook_is_bounded_and_no_two_of_its_pieces_are_alike(said: list[str], size: int) -> None:
    left = list(said)
    book = begun(Playbook(size=size, every=3), lambda step, **inputs: left.pop(0) if left else "")
    lived(book, [("a", "b")] * 12)
    pieces = [frozenset(one.text.split()) for one in book.bullets]
    assert len(pieces) <= size
    assert len(set(pieces)) == len(pieces)
    assert all(isinstance(one, Bullet) for one in book.bullets)
    assert [one.number for one in book.bullets] == sorted({one.number for one in book.bullets})
