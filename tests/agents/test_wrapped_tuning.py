"""What is learned of a program of one's own: its named predictors, by every learner, on the tape and under guard."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import dspy
import numpy as np
import pytest
from errands import Errands, finish, goes_on_as_if_never_cut_off, prompts
from proposer import BEST, Proposer, _Writing

import toolkit as tk
from toolkit.agents.agent import Agent
from toolkit.agents.decision import Decision
from toolkit.agents.wrapped_tuning import saved, taught
from toolkit.errors import SpecError
from toolkit.evaluation.prequential import Bench, heard, iter_episodes
from toolkit.ledger.call import Call
from toolkit.lm.model import Engine
from toolkit.lm.scripted import replied, turns_of
from toolkit.lm.tape import Recorder
from toolkit.records import Example, Learned, Step
from toolkit.streams.channel import FullLabel
from toolkit.streams.scoring import scorer_by_name
from toolkit.streams.stream import Stream
from toolkit.traits.learning import Bandit, DemoBuffer, FixedExamples
from toolkit.traits.learning.tuned import Optimiser

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response


TASKS = 120


class TwoSteps(dspy.Module):
    """Thinks, then answers."""

    def __init__(self) -> None:
        super().__init__()
        self.gist = dspy.Predict("note -> gist")
        self.answer = dspy.Predict("note, gist -> errand")

    def forward(self, note: str) -> dspy.Prediction:
        return self.answer(note=note, gist=self.gist(note=note).gist)


class Gister(Proposer):
    """Its gist is good where it is asked in the best way, and a good gist, or the best way itself, makes right."""

    retries = 0
    calls: ClassVar[float] = math.inf

    def __init__(self) -> None:
        super().__init__(p=0.3, gain=0.5)

    def engine(self, stream: Stream) -> Engine:
        return _Reading(self, super().engine(stream)._under)


class _Reading(_Writing):
    count = 0

    def complete(self, request: Request) -> Response:
        self.count += 1
        if self.count > Gister.calls:
            from dspy.lm15 import TransportError

            raise TransportError("gone")
        system, _, question = turns_of(request)
        if "gist only" in system:
            return replied(request, BEST if BEST in system else "a matter", [system, question], 2)
        if "errand only" in system or (request.config.extensions or {}).get("answer") == "choice":
            return self._under.complete(request)
        text = (super().complete(request).text or "").replace('"decide"', '"own.gist"')  # whom advice is for
        return replied(request, text, [system, question], len(text.split()))


def wrapped(learner: tk.Learner) -> tk.Arm:
    return tk.Arm.wrap(TwoSteps(), name="mine", learning=learner)


def lived(learner: tk.Learner, seed: int, tasks: int = TASKS) -> tuple[Agent, list[float], list[Call]]:
    stream, lm, calls = Errands(tasks, sessions=False), Gister(), list[Call]()
    decision = Decision(lm, lm.ways[0], Recorder(lm, lm.engine(stream), (0, seed), calls.append))
    agent = Agent(wrapped(learner), stream.step, decision, (0, seed))
    bench = Bench(scorer_by_name(["exact"]), heard(FullLabel(), agent, lambda: None), np.random.default_rng(seed))
    return agent, [one.score for one in iter_episodes(agent, stream.pairs(), bench)], calls


@pytest.mark.parametrize("optimiser", ["mipro", "simba", "gepa", "copro"])
def test_an_optimiser_finds_the_planted_instruction_of_a_predictor(optimiser: Optimiser) -> None:
    agent, scores, calls = lived(tk.Tuned(optimiser), seed=1)
    block = agent.learning.learned()
    assert BEST in (block.program or ""), agent.learning.versions
    assert block == Learned(program=block.program), "the whole of it is the program's state"
    assert np.mean(scores[-30:]) - np.mean(scores[:15]) > 0.2
    assert {call.step: call.purpose for call in calls} == {"program": "acting", "tune": "adapting", "again": "adapting"}
    own = TwoSteps()
    own.load_state(json.loads(block.program or ""))
    assert saved(own) == block.program, "DSPy itself can load it"
    met = [pair[0].text for pair in Errands(TASKS, sessions=False).pairs()]
    for call in calls:  # no optimiser sees a future task
        ahead = met[call.t + (call.step == "program") :]
        said = "\n".join(text for _, text in call.prompt)
        assert not any(re.search(rf"{re.escape(text)}(?!\w)", said) for text in ahead), f"{call.step} at {call.t}"


@pytest.mark.parametrize("optimiser", ["bootstrap", "mipro", "gepa"])
def test_a_compilation_of_a_program_that_is_cut_off_goes_on_as_if_nothing_had_been(
    optimiser: Optimiser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str) -> tk.Study:
        arm = wrapped(tk.Tuned(optimiser, every=8, trial=5, risk=1.0))
        return tk.Study(
            name, Errands(24, sessions=False), lm=Gister(), arms=[arm], baseline="mine", seeds=[0],
            ledger=f"{tmp_path}/{name}", tracking="off",
        )  # fmt: skip

    goes_on_as_if_never_cut_off(made, monkeypatch, Gister, 22)  # in the midst of the first compilation


def test_examples_go_to_the_predictor_that_gives_the_answer(study: Callable[..., tk.Study]) -> None:
    arms = [wrapped(DemoBuffer(2)), tk.Arm.wrap(TwoSteps(), name="few", learning=FixedExamples(2))]
    made = finish(study(*arms, stream=Errands(6, sessions=False), seeds=1, baseline="mine"))
    run = next(one for one in made.runs if one.arm.name == "mine")
    pairs = [Errands(6, sessions=False).pairs()[place] for place in run.places]
    gists, answers = prompts(made, "mine")[::2], prompts(made, "mine")[1::2]
    assert all("bank" not in one and "post" not in one for one in gists)
    for t, one in enumerate(answers):
        shown = [task.inputs["note"] in one for task, _ in pairs[: t + 1]]
        assert shown == [place >= t - 2 for place in range(t + 1)], "the last two, and the one at hand"
    pool = [task.inputs["note"] for task, _ in Errands().pool()][:3]
    assert all([note in one for note in pool] == [True, True, False] for one in prompts(made, "few")[1::2])


def test_a_bandit_tries_instructions_of_a_named_predictor() -> None:
    agent, scores, _ = lived(Bandit(("", "Be quick.", BEST), step="gist"), seed=0, tasks=150)
    tried = agent.learning.state()["tried"]
    assert sum(tried) == 149
    assert tried[2] > 75, tried
    assert np.mean(scores[-50:]) > 0.6
    with pytest.raises(ValueError, match=r"learns the step 'jist', .* did you mean 'gist'"):
        wrapped(Bandit(("", "b"), step="jist"))


def test_a_program_is_as_it_was_when_the_call_is_over() -> None:
    program, step = TwoSteps(), Step("decide", "Name it.", ("note",), "errand")
    before = saved(program)
    shown = (Example({"note": "n [[ ## x"}, "bank"),)
    with taught(program, step, Learned("Say it.", shown, "Heed.", {"gist": "Gist it."})):
        assert program.gist.signature.instructions == "Gist it."
        assert program.answer.signature.instructions == "Say it.\n\nHeed."
        assert [dict(one) for one in program.answer.demos] == [{"note": "n [ [ ## x", "errand": "bank"}]
        assert not program.gist.demos
    assert saved(program) == before


def test_what_has_no_place_in_a_program_is_refused() -> None:
    class Blind(dspy.Module):
        def __init__(self, output: str) -> None:
            super().__init__()
            self.gist = dspy.Predict("note -> gist")
            self.answer = dspy.Predict(f"gist -> {output}")

    step, shown = Step("decide", "Name it.", ("note",), "errand"), Learned(examples=(Example({"note": "n"}, "bank"),))
    for program, told in (
        (Blind("place"), "no predictor with an output field 'errand'"),
        (Blind("errand"), "takes gist"),
    ):
        with pytest.raises(SpecError, match=told), taught(program, step, shown):
            pass
    with pytest.raises(ValueError, match="has no predictors that DemoBuffer"):
        tk.Arm.wrap(lambda task: "bank", learning=DemoBuffer())
    with pytest.raises(ValueError, match="takes no notice of traits"):
        tk.Arm("x", memory=tk.Retrieval(), decider=wrapped(DemoBuffer()).decider).ablations()
    assert next(arm.name for arm in wrapped(DemoBuffer()).ablations()) == "mine"
