"""What forms say of the traits they show: live, once for each value, escaped, and without breaking on anything."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from toolkit.agents.arm import Arm
from toolkit.analysis.answered import Piece
from toolkit.evaluation.adds import Adds, Sample
from toolkit.lm.scripted import Scripted
from toolkit.records import Key, Recall, Step, Task
from toolkit.streams.desk import Desk
from toolkit.streams.stream import Stream
from toolkit.traits.goals import Agenda, Watch
from toolkit.traits.learning import FixedExamples
from toolkit.traits.memory import Layered, Lessons, MemoryPolicy, NoMemory, Retrieval, SlidingWindow
from toolkit.traits.role import Role
from toolkit.widgets.adds import COLOURS, prompt_html
from toolkit.widgets.forms import ArmForm, GoalForm, LearnerForm, MemoryForm
from toolkit.widgets.role_form import RoleForm
from toolkit.widgets.study_form import StudyForm


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Arm]:
    """Every arm that was tried."""
    found: list[Arm] = []
    before = Sample.adds

    def adds(self: Sample, arm: Arm) -> Adds:
        found.append(arm)
        return before(self, arm)

    monkeypatch.setattr(Sample, "adds", adds)
    return found


class Hostile(Stream):
    """Two tasks that mean harm."""

    step = Step("decide", "Answer.", ("note",))

    def load(self):
        return tuple((Task(f"h{n}", {"note": f"<script>{n}</script>\x1b[31m\u202e"}), Key(("a",))) for n in range(2))


def lines(form: MemoryForm | RoleForm | GoalForm | LearnerForm | ArmForm) -> str:
    assert form.adds is not None
    return html.unescape(re.sub(r"<[^>]+>", "\n", form.adds.line.value))


def test_the_line_follows_what_is_typed_and_nothing_is_tried_twice(tried: list[Arm]) -> None:
    form = MemoryForm(SlidingWindow(k=1), stream=Desk(tasks=4))
    before = lines(form)
    assert "writes the block memory" in before
    assert "desk, 4 tasks; no model is asked" in before
    assert [arm.memory for arm in tried] == [SlidingWindow(k=1)]
    form.fields["k"].control.value = "3"
    assert lines(form) != before
    form.fields["k"].control.value = " 3"  # the same value
    assert [arm.memory for arm in tried] == [SlidingWindow(k=1), SlidingWindow(k=3)]
    form.fields["k"].control.value = "x"
    assert "not known while the form has mistakes" in lines(form)
    assert len(tried) == 2
    form.fields["k"].control.value = "1"
    assert lines(form) == before


def test_blocks_are_told_apart_by_name_and_by_colour() -> None:
    form = RoleForm(Role("Clerk", "Routes letters."), stream=Desk(tasks=2))
    assert form.adds is not None
    shown = form.adds.prompt.value
    assert f"border-left: 4px solid {COLOURS['role']}" in shown
    assert "<b>role</b> <small>system</small>" in shown
    assert "<b>task</b> <small>user</small>" in shown
    assert "tokens by block: role " in shown
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_long_prompts_are_cut_with_a_note() -> None:
    pieces = [Piece("memory", "user", "a" * 30), Piece("task", "user", "b" * 30), Piece("task", "user", "c" * 30)]
    shown = prompt_html(pieces, most=40)
    assert (shown.count("a" * 30), shown.count("b" * 11), shown.count("b" * 10), shown.count("ccc")) == (1, 0, 1, 0)
    assert "90 characters in all, 40 are shown" in shown
    assert "Cut off" not in prompt_html(pieces, most=90)


def test_what_a_stream_or_a_policy_says_is_text() -> None:
    form = MemoryForm(SlidingWindow(k=2), stream=Hostile())
    assert form.adds is not None
    assert form.tried is not None
    form.tried.asked.value = "<img src=x onerror=alert(1)>\u202e"
    form.tried.texts.value = "<i>one</i> -> <u>two</u>\n\x1b[31mred"
    form.tried.button.click()
    for shown in (form.adds.prompt.value, form.tried.said.value, form.tried.drawing.value):
        assert shown
        assert not re.search(r"<(script|img|i|u)\b", shown)
        assert not {"\x1b", "\u202e"} & set(shown)
    assert "&lt;script&gt;" in form.adds.prompt.value
    assert "&lt;i&gt;one" in form.tried.said.value


def test_a_policy_of_ones_own_that_raises_breaks_no_form() -> None:
    class Fickle(MemoryPolicy):
        """Raises at will."""

        def __init__(self, raises: bool = True) -> None:
            self.raises = raises

        def recall(self, task):
            if self.raises:
                raise RuntimeError("<b>no")
            return Recall(notes="- Be quick.", sources=("motto",))

    form = MemoryForm(Fickle(), stream=Desk(tasks=3))
    assert form.value == Fickle()
    assert "not known: Fickle raised RuntimeError: <b>no" in lines(form)
    assert form.tried is not None
    assert form.tried.drawing.value == ""
    form.tried.button.click()
    assert "no policy to try" in form.tried.said.value
    form.fields["raises"].control.value = False
    assert "not the toolkit's own, tried as it is: Fickle" in lines(form)
    assert "Fickle" in form.tried.drawing.value
    assert "nothing it shows" in form.tried.drawing.value
    form.tried.button.click()
    assert [one.text for one in form.tried.recalled.found] == ["Be quick."]
    assert "tells none" in form.tried.said.value


def test_the_drawing_tells_stores_limits_and_what_is_recalled() -> None:
    form = MemoryForm(Layered(SlidingWindow(k=2), Retrieval(k=1)), stream=Desk(tasks=6))
    assert form.tried is not None
    shown = html.unescape(form.tried.drawing.value)
    steps = ["event", "write", "store", "recall", "prompt block"]
    assert re.findall(r'role="listitem"[^>]*><b>([\w ]+)</b>', shown) == steps
    assert "short: SlidingWindow, 2 cases; at most 2" in shown
    assert "long: Retrieval, 6 cases; no limit" in shown
    assert "long: k = 1" in shown
    assert "worked examples" in shown
    label = re.search(r'role="list" aria-label="([^"]+)"', form.tried.drawing.value)
    assert label is not None
    assert all(f"{step}: " in label[1] for step in steps)
    form.choice.value = "Lessons"
    assert "asks a model: lesson, 5 calls" in form.tried.drawing.value  # the last task's feedback comes after it
    form.choice.value = "NoMemory"
    assert "nothing stood there" in form.tried.drawing.value


def test_the_box_recalls_from_the_sample_or_from_lines_and_says_scores() -> None:
    form = MemoryForm(Retrieval(k=2), stream=Desk(tasks=6))
    box = form.tried
    assert box is not None
    box.asked.value = "My parcel is late"
    box.button.click()
    assert box.recalled is not None
    assert box.recalled.kept == 6
    assert {one.id for one in box.recalled.found} <= {f"stream/{n}" for n in range(6)}
    box.texts.value = "the parcel is late -> post\nreset my password -> it\nopen the door -> porter"
    box.button.click()
    assert (box.recalled.kept, box.recalled.found[0].answer) == (3, "post")
    assert "2 recalled of 3 that are kept" in box.said.value
    assert f"{box.recalled.found[0].score:.3f}" in box.said.value
    assert "As it would stand in the prompt" in box.said.value
    form.fields["k"].control.value = "1"
    assert (box.recalled, box.said.value) == (None, "")  # another policy would recall something else
    box.button.click()
    assert "1 recalled of 3" in box.said.value


def test_a_policy_that_needs_a_model_is_not_tried_in_the_box() -> None:
    form = MemoryForm(Lessons(), stream=Desk(tasks=3))
    assert form.tried is not None
    form.tried.button.click()
    assert "needs a model (lesson)" in form.tried.said.value
    assert form.tried.recalled is None


def test_parts_of_a_role_say_what_they_cost_also_when_off() -> None:
    form = RoleForm(Role("Clerk", "Routes letters.", "Be quick about it.", ("Ask first.",)), stream=Desk(tasks=2))
    rules = form.fields["rules"].control.value
    assert re.search(r"tokens by part: identity \d+, instructions \d+, rules \d+\s*$", lines(form), re.MULTILINE)
    before = form.adds.found.tokens[0]
    form.switches["rules"].value = False
    assert form.adds.found.tokens[0] < before
    assert re.search(r"rules \d+ \(off\)", lines(form))
    assert form.fields["rules"].control.value == rules
    form.switches["rules"].value = True
    assert form.adds.found.tokens[0] == before
    form.choice.value = "NoRole"
    assert "tokens by part" not in lines(form)


def test_a_goal_form_says_what_would_wake_the_agent() -> None:
    form = GoalForm(Watch(("no such word",), judge=False))
    assert form.adds is not None
    ticks = form.adds.found.waking.ticks
    assert f"woken by 0 of {ticks} ticks" in lines(form)
    assert "<li>asleep: " in form.adds.prompt.value
    form.fields["conditions"].control.value = "ticket"
    woken = form.adds.found.waking.woken
    assert 0 < woken <= ticks
    assert "<li>woken: " in form.adds.prompt.value
    assert "goals = tk.Watch(conditions=('ticket',), judge=False)" in form.code()


def test_a_learner_says_what_it_takes_beforehand() -> None:
    form = LearnerForm(FixedExamples(2), stream=Desk(tasks=3))
    assert "writes the block learned" in lines(form)
    assert "before the first task 0 tokens, 0 calls, 2 labels" in lines(form)


def test_an_arm_tells_all_its_traits_together_and_its_name_changes_nothing(tried: list[Arm]) -> None:
    form = ArmForm(Arm("both", role=Role("Clerk", "Routes."), memory=SlidingWindow(k=1)), stream=Desk(tasks=3))
    assert "writes the blocks role, memory" in lines(form)
    count = len(tried)
    form.title.control.value = "other"
    assert len(tried) == count
    form.title.control.value = "no name, this"
    assert "not known while the form has mistakes" in lines(form)
    form.title.control.value = "again"
    form.parts["goals"].set(Agenda())
    assert form.parts["goals"].adds is None
    every = ArmForm(Arm("x", role=Role("A", "B."), goals=Agenda(), memory=SlidingWindow()))
    assert "writes the blocks role, goal, memory" in lines(every)


def test_forms_within_others_try_nothing_before_they_are_opened(tried: list[Arm], tmp_path: Path) -> None:
    form = StudyForm(ledger=tmp_path / "ledger")
    form.parts["lm"].set(Scripted())
    arm = form.arms.arm("memory")
    arm.parts["memory"].fields["k"].control.value = "2"
    assert tried == []
    assert arm.adds is not None
    outer = arm.adds.children[0]
    assert outer.title == "What this adds"
    outer.opened = True
    assert [one.memory for one in tried] == [Retrieval(k=2)]
    assert "writes the block memory" in lines(arm)
    arm.parts["memory"].fields["k"].control.value = "3"
    assert len(tried) == 2
    outer.opened = False
    arm.parts["memory"].fields["k"].control.value = "4"
    assert len(tried) == 2
    assert form.mistakes == ()


def test_off_traits_add_nothing() -> None:
    form = MemoryForm(NoMemory(), stream=Desk(tasks=3))
    assert "tokens a task: +0; calls a task: +0; writes no block of the prompt." in lines(form)


def test_a_sheet_of_prompts_is_searched_by_name_and_text(tmp_path: Path) -> None:
    file = tmp_path / "prompts.csv"
    file.write_text('act,prompt\nGuide,"Suggest a town. Be brief."\nBaker,"Bake <b>bread</b>."\n', encoding="utf-8")
    form = RoleForm(stream=Desk(tasks=2))
    panel = form.elsewhere
    panel.path.value = str(file)
    assert panel.name.options == ("Guide", "Baker")
    assert "2 in the file: choose a name" in panel.said.value
    panel.search.value = "bread"
    assert panel.name.options == ("Baker",)
    panel.search.value = "<i>fish"
    assert panel.name.options == ()
    assert "none holds &#x27;&lt;i&gt;fish" in panel.said.value
    panel.name.value = "Baker"
    panel.take.click()
    assert form.value == Role("Baker", "Bake <b>bread</b>.")
    assert form.adds.found.tokens[0] > 0
