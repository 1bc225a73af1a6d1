"""Orders: whole sessions, by difficulty where a stream says what is hard, and refused where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.design import ORDERS, order
from toolkit.evaluation.study import Study
from toolkit.streams.desk import Desk, wordings
from toolkit.streams.stream import Stream, sessions
from toolkit.streams.table import Table


class Graded(Errands):
    """Sessions of two tasks; hard are those of numbers that end in 0 to 4."""

    def difficulty(self):
        return [float(number // 2 % 5 < 2) for number in range(self.tasks)]


class Braided(Errands):
    """Two tasks of each session, the second ones after all first ones."""

    def load(self):
        pairs = list(super().load())
        return [*pairs[::2], *pairs[1::2]]


@pytest.mark.parametrize("kind", ORDERS)
def test_every_order_goes_over_every_task_once_with_sessions_in_their_own_order(kind: str) -> None:
    stream = Graded(20)
    found = order(stream, kind, 0, 3)
    assert sorted(found) == list(range(20))
    for session in sessions(stream.pairs()):
        assert [place for place in found if place in session] == session


def test_by_session_brings_together_what_the_reference_order_interleaves() -> None:
    stream = Braided(8)
    assert order(stream, "given", 0, 0) == tuple(range(8))
    assert order(stream, "by-session", 0, 0) == (0, 4, 1, 5, 2, 6, 3, 7)


def test_easy_and_hard_first_go_by_difficulty_with_equals_in_another_order_for_each_seed() -> None:
    stream = Graded(40)
    hard = stream.difficulty()
    for kind, wanted in (("easy-first", sorted(hard)), ("hard-first", sorted(hard, reverse=True))):
        orders = {seed: order(stream, kind, 0, seed) for seed in range(4)}
        assert all([hard[place] for place in found] == wanted for found in orders.values())
        assert len(set(orders.values())) == 4
        assert order(stream, kind, 0, 2) == orders[2]


def test_a_stream_that_does_not_say_what_is_hard_is_refused_with_the_way_out(study: Callable[..., Study]) -> None:
    made = study(Arm.static(), order="easy-first")
    with pytest.raises(SpecError, match=r"does not say how hard its tasks are.*name a column as hard="):
        made.run()


@pytest.mark.parametrize("numbers", [[1.0], [0.0] * 19 + [float("nan")]])
def test_a_difficulty_that_is_not_one_number_a_task_is_refused(numbers: list[float]) -> None:
    class Odd(Errands):
        def difficulty(self):
            return numbers

    with pytest.raises(SpecError, match="must be 20 finite numbers"):
        order(Odd(20), "hard-first", 0, 0)


def test_the_desk_holds_those_tickets_for_hard_that_a_handler_takes_against_the_rule() -> None:
    desk = Desk(tasks=200)
    company = desk.company()
    for (task, key), hard in zip(desk.pairs(), desk.difficulty(), strict=True):
        assert hard == (key.answers[0] != company.rules[wordings().topic(task.inputs["ticket"])])
    assert 0 < sum(desk.difficulty()) < 100


def table(folder: Path, rows: str) -> Stream:
    (folder / "desk.csv").write_text(f"text,queue,effort\n{rows}")
    return Table(str(folder / "desk.csv"), inputs="text", answer="queue", options="answers", hard="effort")


def test_a_table_may_have_a_column_that_says_what_is_hard_and_no_agent_sees_it(tmp_path: Path) -> None:
    stream = table(tmp_path, "a,x,3\nb,y,1\nc,x,2.5\n")
    assert stream.difficulty() == (3.0, 1.0, 2.5)
    assert order(stream, "easy-first", 0, 0) == (1, 2, 0)
    assert all("effort" not in task.inputs for task, _ in stream.pairs())
    plain = Table(stream.data, inputs="text", answer="queue", options="answers")
    assert plain.fingerprint() == stream.fingerprint()
    assert "hard" not in plain.config()
    with pytest.raises(
        SpecError, match=r"line 3, column 'effort': how hard a row is must be a plain number but is 'b'"
    ):
        table(tmp_path, "a,x,1\nb,y,b\n").pairs()


def test_orders_of_one_study_are_runs_of_their_own(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static(), stream=Graded(10), order=list(ORDERS), seeds=1))
    assert len(made.runs) == 4  # "given" and "by-session" come to the same places here
    assert made.episodes().groupby("order").size().to_dict() == dict.fromkeys(
        ["shuffled", "given", "easy-first", "hard-first"], 10
    )
