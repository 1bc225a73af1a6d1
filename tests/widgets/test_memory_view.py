"""What views of memories and answers show is what the ledger holds, hostile or not, and their buttons are methods."""

from __future__ import annotations

import math

import pytest
from asked_again import queried
from errands import Errands, finish
from wicked import EVIL, WickedErrands

import toolkit as tk
from toolkit.analysis.answered import pieces_of
from toolkit.analysis.remembered import notes_in
from toolkit.widgets.answer_view import AnswerView
from toolkit.widgets.memory_view import AgentMemory, MemoryInspector

ROLE = tk.Role("Clerk", "Sorts errands.", instructions="Read twice.")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2), role=ROLE)]
    place = tk.Ledger(tmp_path_factory.mktemp("ledger"))
    stream = Errands(tasks=14)
    return finish(tk.Study("kept", stream, arms=arms, lm="scripted", seeds=2, ledger=place, counterfactuals=0.5))


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    place = tk.Ledger(tmp_path_factory.mktemp("evil"))
    return finish(
        tk.Study(
            "evil", WickedErrands(), arms=[tk.Arm("m", memory=tk.Retrieval(k=2))], lm="scripted", seeds=1, ledger=place
        )
    )


def test_memories_are_those_of_the_ledger_and_their_figures_too(made: tk.Study) -> None:
    view = MemoryInspector(made)
    assert (view.life.arm, view.life.seed) == ("memory", 0)
    own = made.episodes().query("arm == 'memory' and seed == 0").set_index("t")
    used = {t: [one for turn in own.turns[t] for one in turn["recalled"]] for t in own.index}
    assert {one.id for one in view.rows} == {one for names in used.values() for one in names}
    for one in view.rows:
        written = int(one.id.removeprefix("stream/"))
        there = [t for t in own.index if one.id in used[t]]
        rest = [t for t in own.index if t > written and one.id not in used[t]]
        assert (one.kind, one.written, [t for t, _ in one.recalled]) == ("case", written, there)
        assert (one.text, one.answer) == (own.inputs[written]["note"], own.correction[written])
        assert (one.score, one.n) == (pytest.approx(own.score[there].mean()), len(there))
        assert (one.others, one.n_others) == (pytest.approx(own.score[rest].mean(), nan_ok=True), len(rest))
        gains = [
            own.score[t] - other["score"]
            for t in own.index
            for other in own.counterfactuals[t]
            if other["instead"] == "all but one" and other["memory"] == one.id
        ]
        assert one.n_gain == len(gains)
        assert not gains or one.gain == pytest.approx(sum(gains) / len(gains))
    assert any(one.n_gain for one in view.rows)
    assert "association" in repr(view)
    assert "not an effect" in view.html


def test_memories_are_sorted_filtered_and_turned_by_buttons_and_by_code(made: tk.Study) -> None:
    view = MemoryInspector("kept", "memory", seed=1, ledger=made.ledger)
    assert [len(one.recalled) for one in view.show(sort="recalled").rows] == sorted(
        (len(one.recalled) for one in view.rows), reverse=True
    )
    known = [one.difference for one in view.show(sort="difference").rows if not math.isnan(one.difference)]
    assert known == sorted(known, reverse=True) == [one.difference for one in view.rows[: len(known)]]
    view._heard(view, {"command": "filter", "value": "KNAB"}, [])
    assert 0 < len(view.rows) < len(view._all)
    assert all("knab" in one.text for one in view.rows)
    assert repr(view).count("knab matter") == len(view.shown)
    view.show(filter="")
    view._all = view._all * 3
    view._heard(view, {"command": "turn", "value": "1"}, [])
    assert (view.place, view.shown[0]) == (1, view.rows[25])
    assert view.show(page=99).place == view.pages - 1
    with pytest.raises(ValueError, match="sorted by written"):
        view.show(sort="size")
    view._heard(view, {"command": "life", "value": "0"}, [])
    assert (view.life.arm, view.life.recalled) == ("static", 0)
    assert "no memory has been recalled" in repr(view)
    with pytest.raises(tk.SpecError, match="no run of arm 'nobody'"):
        MemoryInspector(made, "nobody")


def test_a_task_is_opened_and_every_query_can_be_asked_again(made: tk.Study) -> None:
    view = MemoryInspector(made)
    t, task = view.rows[0].recalled[0]
    view._heard(view, {"command": "open", "value": str(t)}, [])
    (side,) = view.opened.sides
    assert (side.which.t, side.which.task, side.which.seed) == (t, task, 0)
    assert view.rows[0].id in side.recalled
    assert 'data-do="open"' in view.html
    assert "data-do" not in view._repr_mimebundle_()[0]["text/html"]
    assert len(view.queries) >= 3
    queried(view, made.ledger)
    view._heard(view, {"command": "open", "value": "999"}, [])
    assert "no task 999" in view.note


def test_prompts_stand_block_by_block_beside_another_arms(made: tk.Study) -> None:
    view = AnswerView(made, "memory", "t9", beside="static", seed=1)
    own, static = view.sides
    assert (own.which.case, own.which.arm, static.which.arm) == (static.which.case, "memory", "static")
    (asked,), (plain,) = own.prompts, static.prompts
    role, instruction = asked.pieces[:2]
    assert (role.block, role.text, instruction.block) == ("role", ROLE.text(), "instruction")
    assert instruction.text == plain.pieces[0].text
    count = next(int(one.partition(":")[2]) for one in own.blocks if one.startswith("memory"))
    assert [one.block for one in asked.pieces].count("memory") == 2 * count
    assert asked.pieces[-1] == plain.pieces[-1]
    row = made.episodes().query("arm == 'memory' and seed == 1 and task == 't9'").iloc[0]
    assert (own.answer, own.score) == (row.answer, row.score)
    assert own.feedback["correction"] == row.correction
    assert own.costs["acting"] == row.acting_input_tokens + row.acting_output_tokens
    assert len(own.instead) == len(row.counterfactuals)
    queried(view, made.ledger)
    view._heard(view, {"command": "beside", "value": "0"}, [])
    assert len(view.sides) == 1
    with pytest.raises(tk.ToolkitError, match="no such episode"):
        view.show(task="nowhere")


def test_hostile_texts_of_memories_and_answers_are_data(evil: tk.Study) -> None:
    inspector = MemoryInspector(evil)
    inspector.episode(inspector.rows[0].recalled[0][0])
    for view in (inspector, AnswerView(evil, beside="m"), inspector.opened):
        shown = view._repr_mimebundle_()[0]
        assert "&lt;img src=x onerror=alert(1)&gt;" in shown["text/html"]
        assert "onerror" in shown["text/plain"]
        for told in (view.html, shown["text/html"], shown["text/plain"]):
            assert "\x1b" not in told
            assert "\u202e" not in told
        for told in (view.html, shown["text/html"]):
            assert "<script" not in told
            assert "<img" not in told
    inspector._heard(inspector, {"command": "filter", "value": EVIL}, [])
    assert "<script" not in inspector.html


def test_a_live_agents_memory_is_corrected_and_forgotten(tmp_path) -> None:
    arm = tk.Arm("clerk", memory=tk.Retrieval(k=2))
    with tk.Agent.open("clerk", arm=arm, lm="scripted", ledger=tmp_path) as clerk:
        for user, said in (("mara", f"late {EVIL}"), ("tobias", "torn"), ("mara", "late again")):
            clerk.feedback(clerk.answer(said, user=user), score=0.0 if user == "mara" else 1.0)
        view = AgentMemory(clerk)
        assert [one.id for one in view.rows] == [one.id for one in clerk.history()]
        first = view.rows[0]
        assert (first.n, first.score, first.n_others) == (2, 0.5, 0)
        assert "<script" not in view.html
        assert "\u202e" not in repr(view)
        view._heard(view, {"command": "correct", "value": "1:mended"}, [])
        assert (view.rows[1].answer, clerk.memories()[1].known) == ("mended", True)
        view._heard(view, {"command": "forget", "value": "0"}, [])
        assert len(clerk.memories()) == 3
        assert "Really forget everything of mara" in view.html
        view._heard(view, {"command": "forget", "value": "0"}, [])
        assert [one.user for one in view.rows] == ["tobias"]
        with pytest.raises(ValueError, match="'note/0' is not there"):
            view.correct("note/0", "x")


def test_parts_of_prompts_are_told_apart_in_every_layout() -> None:
    plain = "Name it. Answer with the queue only."
    head = "You sort.\n\nName it.\n\n- be brief Answer with the queue only."
    turns = [{"role": "system", "text": head}, {"role": "user", "text": "Notes: - one\n  - two\nTicket: a"}]
    found = list(pieces_of(turns, ["role:0", "learned:0", "memory:0"], plain))
    assert [(one.block, one.text) for one in found] == [
        ("role", "You sort."),
        ("instruction", "Name it."),
        ("learned", "- be brief"),
        ("instruction", "Answer with the queue only."),
        ("memory", "Notes: - one\n  - two"),
        ("task", "Ticket: a"),
    ]
    running = [{"role": "user", "text": "Name it.\n\nTicket: a\nQueue: b\n\nTicket: c\nQueue:"}]
    assert [one.block for one in pieces_of(running, ["memory:1"], "Name it.")] == [
        "instruction", "memory", "memory", "task",
    ]  # fmt: skip
    said = [{"role": "user", "text": "Name it.\n\nTicket: a\nQueue: b\nFeedback: not correct\n\nTicket: c\nQueue:"}]
    assert [(one.block, one.text) for one in pieces_of(said, ["memory:1"], "Name it.")][1:3] == [
        ("memory", "Ticket: a"), ("memory", "Queue: b\nFeedback: not correct"),
    ]  # fmt: skip
    texts = [
        ("system", "Name it."),
        ("user", "Ticket: a"),
        ("assistant", "b"),
        ("user", "Feedback: correct\nTicket: c"),
    ]
    said = [{"role": role, "text": text} for role, text in texts]
    for blocks, end in ((["memory:1"], ["Feedback: correct", "Ticket: c"]), (["learned:1"], [texts[-1][1]])):
        assert [one.text for one in pieces_of(said, blocks, "Name it.")][3:] == end
    other = [{"role": "system", "text": "Sort well."}, {"role": "user", "text": "Ticket: a"}]
    assert [one.block for one in pieces_of(other, ["role:0", "learned:0"], plain)] == ["role and learned", "task"]
    assert {one.block for one in pieces_of(other, ["memory:4"], plain)} == {"prompt"}
    chat = "[[ ## notes ## ]]\n- one\n- two\n\n[[ ## ticket ## ]]\na"
    assert notes_in([{"role": "user", "text": chat}]) == ["one", "two"]
