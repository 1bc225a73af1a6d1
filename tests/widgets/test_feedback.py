"""A person in the loop: what is said at the panel is what the agent hears, on the tape, and asked for once only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from errands import Errands, prompts
from waiting import until

from toolkit.agents.arm import Arm
from toolkit.evaluation.replay import replay
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.records import Feedback, Key, Task
from toolkit.streams.channels import Delayed, HumanFeedback, Missing, Noisy
from toolkit.streams.channels.human import ROOM, Question
from toolkit.traits.memory import Retrieval
from toolkit.widgets.feedback import FeedbackPanel

Make = Callable[..., Study]
TASKS = 6


@pytest.fixture
def panel() -> Iterator[FeedbackPanel]:
    made = FeedbackPanel()
    yield made
    made.close()


def judge(panel: FeedbackPanel, how: Callable[[Question], object]) -> None:
    """Wait for a question, say something, and see that it goes."""
    until(lambda: panel.question is not None)
    question = panel.question
    how(question)
    until(lambda: panel.question is not question)


def right(question: Question) -> str:
    """The errand is written backwards in the note."""
    return question.task.inputs["note"].split()[-2][::-1]


def arms() -> Arm:
    return Arm("m", memory=Retrieval(k=2))


def test_what_a_person_says_is_learned_from_and_nobody_is_asked_twice(study: Make, panel: FeedbackPanel) -> None:
    made = study(arms(), stream=Errands(tasks=TASKS), channel=HumanFeedback(grades=3), seeds=1, order="given")
    made.start()
    said: list[object] = []

    def say(question: Question) -> None:
        assert question.answer in panel.shown.value
        assert question.task.inputs["note"] in panel.shown.value
        said.append(right(question))
        place = len(said) - 1
        if place == 0:
            panel.grades[1].click()  # the middle one of three
        elif place == 1:
            panel.options.value = said[-1]
        elif place == 2:
            panel.words.value = "I cannot say."
            panel.pass_by.click()
        else:
            panel.correct(said[-1])

    for _ in range(TASKS):
        judge(panel, say)
    assert made.wait(300)
    rows = made.episodes().sort_values("t")
    assert rows.feedback_score.iloc[0] == 0.5
    assert list(rows.correction.iloc[[1, 3, 4, 5]]) == [said[place] for place in (1, 3, 4, 5)]
    assert rows.critique.iloc[2] == "I cannot say."
    calls = made.ledger.sql("SELECT * FROM calls WHERE step = 'person' ORDER BY t")
    assert list(calls.t) == list(range(TASKS))
    assert set(calls.purpose) == {"judging"}
    assert calls[["calls", "input_tokens", "dollars", "seconds"]].to_numpy().sum() == 0
    assert json.loads(calls.response[1])["correction"] == said[1]
    assert any(said[1] in json.loads(one)[-2]["text"] for one in prompts(made, "m")[2:] if len(json.loads(one)) > 2)
    panel.close()
    assert replay(made.ledger, made.name).identical  # by whoever, without a panel
    assert len(made.agent("m").history()) == TASKS


def test_a_study_that_is_stopped_while_it_waits_loses_nothing(study: Make, panel: FeedbackPanel) -> None:
    def answered(name: str, stop_at: int | None) -> Study:
        made = study(arms(), stream=Errands(tasks=TASKS), channel=Delayed(HumanFeedback(), 1), seeds=1, name=name)
        made.start()
        for place in range(TASKS):
            until(lambda: panel.question is not None)
            if place == stop_at:
                left = panel.question
                made.stop()
                assert made.records()[0].status == "stopped"
                assert panel.question is None
                with pytest.raises(ValueError, match="not asked about any more"):
                    ROOM.reply(left, grade=1)
                made.resume()
            judge(panel, lambda question: panel.correct(right(question)))
        assert made.wait(300)
        return made

    whole, cut = answered("whole", None), answered("cut", 3)
    assert cut.records()[0].hash == whole.records()[0].hash
    assert cut.records()[0].replayed == 3 + 4  # what was said, and the model's answers, the unjudged one too
    asked = cut.ledger.sql("SELECT count(*) AS n FROM calls WHERE study = 'cut'").n[0]
    assert asked == 2 * TASKS


def test_without_anybody_a_run_is_suspended_and_says_what_to_do(study: Make, panel: FeedbackPanel) -> None:
    made = study(arms(), stream=Errands(tasks=2), channel=HumanFeedback(), seeds=1)
    panel.close()
    (record,) = made.run()
    assert (record.status, record.episodes) == ("suspended", 0)
    assert "show tk.FeedbackPanel()" in record.error
    again = FeedbackPanel()
    made.start()
    judge(again, lambda question: again.grade(2))
    until(lambda: again.question is not None)
    again.close()  # the person leaves
    made.wait(300)
    assert [(one.status, one.episodes) for one in made.records()] == [("suspended", 1)]


def test_two_runs_wait_side_by_side_and_what_is_wrong_is_shown(study: Make, panel: FeedbackPanel) -> None:
    made = study(arms(), stream=Errands(tasks=1), channel=HumanFeedback(), seeds=2, workers=2, lm=Scripted())
    made.start()
    until(lambda: len(ROOM) == 2)
    assert "1 more wait" in panel.note.value or panel.note.value == ""  # the first came alone
    with pytest.raises(ValueError, match="correction must be one of post, bread, bank but is 'pots'"):
        panel.correct("pots")
    with pytest.raises(ValueError, match="a grade must be from 1 to 2 but is 3"):
        panel.grade(3)
    panel.grades[4].click()
    assert "must be from 1 to 2 but is 5" in panel.note.value
    for _ in range(2):
        judge(panel, lambda question: panel.skip())
    assert made.wait(300)
    assert list(made.episodes().labels) == [0, 0]
    with pytest.raises(ValueError, match="no answer waits"):
        panel.grade(1)


def test_texts_are_shown_as_they_are_and_free_answers_take_free_corrections(panel: FeedbackPanel) -> None:
    question = Question(Task("t", {"text": "<b>x</b>"}), "<i>y</i>", 5)
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(ROOM.reply_to(question, lambda: None)))
    thread.start()
    until(lambda: panel.question is question)
    assert "&lt;b&gt;x" in panel.shown.value
    assert "&lt;i&gt;y" in panel.shown.value
    assert [one.layout.display for one in panel.grades] == [""] * 5 + ["none"] * 2
    assert repr(panel) == "FeedbackPanel: an answer waits to be judged"
    panel.right.value = " z "
    thread.join(300)
    assert told == ['{"correction": "z", "score": 0.0}']


def test_a_person_is_not_asked_in_vain_nor_lied_for() -> None:
    asked: list[object] = []
    channel = Missing(HumanFeedback(), share=1.0)
    channel.reset(lambda question, answer: asked.append(question) or "{}")
    assert channel.feedback(Task("t", {}), "x", Key(("y",)), 0.0, np.random.default_rng(0)) is None
    assert asked == []
    with pytest.raises(ValueError, match=r"Noisy: a person sees the answer, not the key"):
        Noisy(Delayed(HumanFeedback())).check()
    with pytest.raises(ValueError, match=r"HumanFeedback\.grades must be an integer from 2 to 7 but is 1"):
        HumanFeedback(grades=1).check()
    assert (HumanFeedback().reveals_label, HumanFeedback(corrections=False).reveals_label) == (True, False)
    content = HumanFeedback()
    content.reset(lambda question, answer: '{"score": 1.0}')
    assert content.feedback(Task("t", {}), "x", Key(("y",)), 0.0, np.random.default_rng(0)) == Feedback(1.0)


def test_a_plan_asks_nobody(study: Make) -> None:
    made = study(Arm.static(), arms(), channel=HumanFeedback())
    assert "the rehearsal failed" not in str(made.plan())
    assert len(ROOM) == 0
