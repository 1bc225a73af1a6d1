"""DSPy's optimisers in the midst of a run: they find what is planted, and everything they ask is taped and charged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from errands import goes_on_as_if_never_cut_off
from proposer import BEST, Proposer

import toolkit as tk
from toolkit.agents.agent import Agent
from toolkit.agents.decision import Decision
from toolkit.evaluation.prequential import Bench, heard, iter_episodes, prepare
from toolkit.ledger.call import Call
from toolkit.lm.model import Engine
from toolkit.lm.tape import Recorder
from toolkit.records import Key, Step, Task
from toolkit.streams.channel import Channel, FullLabel
from toolkit.streams.channels import ShuffledFeedback
from toolkit.streams.scoring import scorer_by_name
from toolkit.streams.stream import Pair, Stream
from toolkit.traits.learning.tuned import OPTIMISERS, Optimiser

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

FIND_INSTRUCTIONS: tuple[Optimiser, ...] = ("mipro", "simba", "gepa", "copro")


class Canaries(Stream):
    """Every task and every right answer has a word of its own, so that none can be told before it was met."""

    step = Step("decide", "Choose the word.", ("note",), "word")
    scorers = ("exact",)

    def load(self) -> Sequence[Pair]:
        """Forty of them."""
        return tuple(_canary(number) for number in range(40))


def _canary(number: int) -> Pair:
    right = f"right-{number:02}"
    options = (right, f"wrong-{number:02}")
    return Task(f"t{number:02}", {"note": f"asked-{number:02}"}, options, time=number), Key((right,))


def lived(
    learner: tk.Learner,
    seed: int,
    tasks: int = 120,
    channel: Channel | None = None,
    lm: tk.Model | None = None,
    stream: Stream | None = None,
) -> tuple[Agent, list[float], list[Call]]:
    stream, lm, calls = stream or tk.Desk(tasks=tasks, queues=6), lm or Proposer(), list[Call]()
    decision = Decision(lm, lm.ways[0], Recorder(lm, lm.engine(stream), (0, seed), calls.append))
    agent = Agent(tk.Arm("tuned", learning=learner, transcript=False), stream.step, decision, (0, seed))
    bench = Bench(
        scorer_by_name(["exact"]), heard(channel or FullLabel(), agent, lambda: None), np.random.default_rng(seed)
    )
    prepare(agent, stream.pool())
    pairs = stream.pairs()
    order = np.random.default_rng(seed).permutation(len(pairs))
    found = [one.score for one in iter_episodes(agent, [pairs[place] for place in order], bench)]
    return agent, found, calls


@pytest.mark.parametrize("optimiser", FIND_INSTRUCTIONS)
def test_an_optimiser_finds_the_planted_instruction_and_the_curve_shows_when(optimiser: Optimiser) -> None:
    agent, scores, calls = lived(tk.Tuned(optimiser), seed=1)
    assert BEST in agent.learning.learned().instruction, agent.learning.versions
    assert np.mean(scores[-30:]) - np.mean(scores[:15]) > 0.2
    asked = {call.step: call.purpose for call in calls}
    assert asked == {"decide": "acting", "tune": "adapting", "again": "adapting"}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_with_feedback_that_belongs_to_other_tasks_nothing_is_gained(optimiser: Optimiser) -> None:
    gained = []
    for seed in range(4):
        _, scores, _ = lived(tk.Tuned(optimiser), seed, tasks=100, channel=ShuffledFeedback(FullLabel()))
        gained.append(np.mean(scores[-40:]) - np.mean(scores[:20]))
    assert abs(np.mean(gained)) < 3 * np.sqrt(0.25 / 4 * (1 / 40 + 1 / 20))


@pytest.mark.parametrize("optimiser", FIND_INSTRUCTIONS)
def test_another_of_the_arms_models_writes_where_it_is_named(optimiser: Optimiser) -> None:
    lm = tk.Several((Proposer(ideas=("Be brief.", "Be polite.")), Proposer(p=0.0, gain=0.0, ideas=(BEST,))))
    alone, _, _ = lived(tk.Tuned(optimiser), seed=1, tasks=70, lm=lm)
    assert not any(BEST in one.learned.instruction for one in alone.learning.versions)
    taught, _, calls = lived(tk.Tuned(optimiser, reflection_lm=1), seed=1, tasks=70, lm=lm)
    assert any(BEST in one.learned.instruction for one in taught.learning.versions)
    assert {call.server[-3:] for call in calls if call.step == "decide"} == {"(0)"}
    assert {call.server[-3:] for call in calls if call.step == "tune"} == {"(0)", "(1)"}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_compiled_once_beforehand(optimiser: Optimiser) -> None:
    agent, scores, calls = lived(tk.Compiled(optimiser, labels=24, budget=150), seed=2, tasks=30)
    tuned = [call for call in calls if call.step == "tune"]
    assert tuned
    assert {(call.phase, call.purpose) for call in tuned} == {("prepare", "adapting")}
    block = agent.learning.learned()
    assert block.examples or BEST in block.instruction
    assert len(block.examples) <= 3
    assert (np.mean(scores) > 0.5) == (BEST in block.instruction)
    assert agent.arm.stateless


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    lived(tk.Tuned("gepa", every=6), seed=0, tasks=12)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_no_optimiser_sees_a_task_or_an_answer_of_the_future(optimiser: Optimiser) -> None:
    _, _, calls = lived(tk.Tuned(optimiser, every=8, window=12), seed=0, stream=Canaries())
    order = np.random.default_rng(0).permutation(40)
    seen = set[str]()
    for call in calls:
        told = "\n".join(text for _, text in call.prompt)
        for t, place in enumerate(order):
            words = {word for word in (f"asked-{place:02}", f"right-{place:02}") if word in told}
            allowed = {f"asked-{place:02}"} if call.step == "decide" and t == call.t else set()
            assert t < call.t or words <= allowed, f"{call.step} at {call.t} has {words} of task {t}"
            seen |= words if call.step == "tune" else set()
    assert any(word.startswith("asked") for word in seen), "compilations were asked of past tasks"


class Falling(Proposer):
    """Cannot be reached any more after so many calls."""

    retries = 0
    calls: ClassVar[float] = math.inf

    def engine(self, stream: Stream) -> Engine:
        """As the other's."""
        return _Falling(super().engine(stream))


class _Falling:
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, under: Engine) -> None:
        self._under, self._count = under, 0

    def complete(self, request: Request) -> Response:
        """An answer, as long as there are any."""
        from dspy.lm15 import TransportError

        self._count += 1
        if self._count > Falling.calls:
            raise TransportError("gone")
        return self._under.complete(request)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_compilation_that_is_cut_off_goes_on_as_if_nothing_had_been(
    optimiser: Optimiser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str) -> tk.Study:
        arm = tk.Arm("tuned", learning=tk.Tuned(optimiser, every=8, trial=5, risk=1.0), transcript=False)
        return tk.Study(
            name, tk.Desk(tasks=30, queues=6), lm=Falling(), arms=[arm], baseline="tuned", seeds=[0],
            ledger=f"{tmp_path}/{name}", tracking="off",
        )  # fmt: skip

    goes_on_as_if_never_cut_off(made, monkeypatch, Falling, 13)  # in the midst of the first compilation


def test_a_run_that_is_cut_off_rings_as_if_nothing_had_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nervous = tk.PageHinkley(min_instances=2, delta=0.0, threshold=0.5)

    def made(name: str) -> tk.Study:
        arm = tk.Arm(
            "watched", learning=tk.Watched(tk.DemoBuffer(size=2), nervous), transcript=False,
            memory=tk.Renewed(tk.SlidingWindow(k=2), tk.Kswin(alpha=0.3, window_size=8, stat_size=4)),
        )  # fmt: skip
        return tk.Study(
            name, tk.Desk(tasks=30, queues=6, drift=1), lm=Falling(), arms=[arm], baseline="watched", seeds=[0],
            ledger=f"{tmp_path}/{name}", tracking="off",
        )  # fmt: skip

    whole = goes_on_as_if_never_cut_off(made, monkeypatch, Falling, 13)
    rang = whole.ledger.sql("SELECT t, number, fate, why FROM changes WHERE kind = 'drift' ORDER BY t")
    assert set(rang.fate) == {"forget"}
    assert rang.why.str.startswith("earned 0").all()
    found = tk.detections(whole).row("watched")
    assert found.alarms == len(rang)
