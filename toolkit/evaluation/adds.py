"""What an arm adds to the static one: tokens and calls on a few sample tasks, its blocks, a prompt; without a model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.agents.arm import Arm
from toolkit.agents.decider import Wrapped
from toolkit.agents.steps import thinks
from toolkit.analysis.answered import BLOCKS, Piece, head_of, pieces_of
from toolkit.component import Component, is_shipped, parts_of
from toolkit.errors import names
from toolkit.evaluation.design import Run
from toolkit.evaluation.rehearsal import rehearsed
from toolkit.ledger.call import Call
from toolkit.lm.model import Model
from toolkit.lm.scripted import Scripted
from toolkit.moves import WAIT
from toolkit.streams.cases import DeskCases
from toolkit.streams.channel import FullLabel
from toolkit.streams.desk import Desk
from toolkit.streams.stream import Stream

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent
    from toolkit.episode import Episode
    from toolkit.records import Turn

TASKS = 20
"""Sample tasks at most."""

_CASES = 4  # of them in a world, where each has many turns
_CALLS = 1000  # in one task, within which a form still answers at once
_PLAIN = 4  # courses of the static arm that are kept
_NONE = np.zeros(0)


@dataclass(frozen=True)
class Waking:
    """What an agent was woken by in a sample of worlds.

    Parameters
    ----------
    ticks, woken
        Turns that nobody prompted, and those of them on which it decided or did anything.
    events
        What was seen on each tick, and whether it woke; equal ones once.
    """

    ticks: int
    woken: int
    events: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Adds:
    """What an arm adds to the static arm on the same sample tasks.

    Parameters
    ----------
    stream
        In words: which tasks.
    tokens, calls
        Of acting and adapting, less those of the static arm: arrays of shape (tasks,), at a token for every 4
        characters of the prompts, and as many written as the longest option has. Empty where nothing could be tried.
    before
        Calls, tokens and labels that it takes before the first task.
    blocks
        Which blocks of the prompt it writes and the static arm does not, in the order of the prompt.
    prompt, task
        A prompt of its decision by block, and the task that it was for: the last in which one of its blocks stands.
    recalled
        By task how many memories stood in its prompts.
    waking
        In worlds with ticks: what woke it; else None.
    notes
        What to know of these numbers.
    trouble
        Why there are none; empty where all is well.
    agent
        The agent after the sample, its memory full.
    """

    stream: str
    tokens: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    calls: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    before: tuple[float, float, int] = (0.0, 0.0, 0)
    blocks: tuple[str, ...] = ()
    prompt: tuple[Piece, ...] = ()
    task: str = ""
    recalled: tuple[int, ...] = ()
    waking: Waking | None = None
    notes: tuple[str, ...] = ()
    trouble: str = ""
    agent: Agent | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        if self.trouble:
            return f"not known: {self.trouble}"
        told = [f"tokens a task: {_course(self.tokens)}; calls a task: {_course(self.calls)}"]
        several = "blocks" if len(self.blocks) > 1 else "block"
        told.append(f"writes the {several} {names(self.blocks)}" if self.blocks else "writes no block of the prompt")
        calls, tokens, labels = self.before
        if calls or labels:
            told.append(f"before the first task {tokens:,.0f} tokens, {calls:g} calls, {labels} labels")
        if self.waking is not None:
            told.append(f"woken by {self.waking.woken} of {self.waking.ticks} ticks")
        return "; ".join(told)


class Sample:
    """Tasks on which arms are tried as in a run; answers are made up, nothing is asked and nothing recorded.

    Parameters
    ----------
    stream
        Its first 20 tasks, in order; None = a small `Desk`, or a small `DeskCases` for arms with a goal policy.
    patience
        Seconds after which an arm is not tried on further tasks.

    Examples
    --------
    >>> from toolkit.traits.memory import SlidingWindow
    >>> found = Sample().adds(Arm("memory", memory=SlidingWindow(k=1)))
    >>> found.blocks, float(found.tokens[0]), bool(found.tokens[-1] > 10)
    (('memory',), 0.0, True)
    """

    def __init__(self, stream: Stream | None = None, patience: float = 2.0) -> None:
        self.stream, self.patience = stream, patience
        self._usual: dict[bool, Stream] = {}
        self._static: dict[tuple[str, str], _Tried] = {}

    def of(self, arm: Arm) -> Stream:
        """The stream that an arm is tried on."""
        if self.stream is not None:
            return self.stream
        world = "goals" in arm.on
        return self._usual.setdefault(world, DeskCases(_CASES, watch=0.5, ticks=8) if world else Desk(tasks=TASKS))

    def adds(self, arm: Arm) -> Adds:
        """What an arm adds; what cannot be tried is told in ``trouble``."""
        try:
            stream = self.of(arm)
            where = f"{stream.label}, {min(TASKS, len(stream.pairs()))} tasks"
        except Exception as error:  # noqa: BLE001  (a stream of one's own, or a file: whatever it raises is told)
            return Adds("", trouble=f"the sample stream failed ({type(error).__name__}: {error})"[:500])
        if isinstance(arm.decider, Wrapped) or not is_shipped(type(arm.decider)):
            return Adds(where, trouble="a program of one's own is not tried out, since it may spend something")
        try:
            tried = _tried(arm, stream, self.patience)
            return _compared(arm, tried, self._plain(arm.lm or Scripted(), stream), where)
        except _Endless as error:
            return Adds(where, trouble=str(error))
        except Exception as error:  # noqa: BLE001  (whatever a trait raises is told: no form breaks of it)
            own = names(_own(arm))
            whose = f"{own} raised" if own else "it raised"
            return Adds(where, trouble=f"{whose} {type(error).__name__}: {error}"[:500])

    def _plain(self, model: Model, stream: Stream) -> _Tried:
        """The static arm's tasks, carried out once for a model and a stream."""
        key = (model.fingerprint(), stream.fingerprint())
        if key not in self._static:
            while len(self._static) >= _PLAIN:
                del self._static[next(iter(self._static))]
            self._static[key] = _tried(replace(Arm.static(), lm=model), stream, float("inf"))
        return self._static[key]


@dataclass
class _Tried:
    """What came of an arm on the sample: by task its costs (calls, tokens), its turns; all calls."""

    agent: Agent | None = None
    before: tuple[float, float, int] = (0.0, 0.0, 0)
    costs: list[tuple[float, float]] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    whole: bool = True


def sample_run(arm: Arm, stream: Stream) -> Run:
    """A run of an arm on the first sample tasks of a stream, in the order in which they stand."""
    model = arm.lm or Scripted()
    places, channel = tuple(range(len(stream.pairs())))[:TASKS], arm.channel or FullLabel()
    return Run(
        "sample", "sample", arm, model, stream, 0, 0, "given", places, model.ways[0], channel, tuple(stream.scorers)
    )


class _Endless(Exception):
    """One task asks too often for a form that waits."""


def _tried(arm: Arm, stream: Stream, patience: float) -> _Tried:
    found, asked = _Tried(), Counter[int]()

    def write(call: Call) -> None:
        found.calls.append(call)
        asked[call.t] += call.phase == "stream"
        if asked[call.t] > _CALLS:
            raise _Endless

    try:
        _try(found, sample_run(arm, stream), write, patience)
    except Exception as error:
        if max(asked.values(), default=0) > _CALLS:  # whatever became of it on its way through what asked
            raise _Endless(f"one task of the sample asks the model more than {_CALLS:,} times") from error
        raise
    return found


def _try(found: _Tried, run: Run, write: Callable[[Call], None], patience: float) -> None:
    begun = time.monotonic()
    for agent, episode, (calls, read, wrote) in rehearsed(run, write):
        if episode is None:
            wanted = max(agent.memory.labels, agent.learning.labels)
            labels = min(wanted, len(run.stream.pool())) if wanted else 0
            found.agent, found.before = agent, (calls, read + wrote, labels)
            begun = time.monotonic()
            continue
        found.costs.append((calls, read + wrote))
        found.episodes.append(episode)
        if time.monotonic() - begun > patience:
            found.whole = len(found.costs) == len(run.places)
            break


def _compared(arm: Arm, tried: _Tried, plain: _Tried, where: str) -> Adds:
    many = len(tried.costs)
    calls, tokens = (np.array(tried.costs) - np.array(plain.costs[:many])).T
    more = _blocks(tried.episodes) - _blocks(plain.episodes[:many])
    blocks = tuple(name for name in BLOCKS if name in more)
    prompt, task = _prompt(tried, plain, blocks)
    return Adds(
        where,
        tokens,
        calls,
        tried.before,
        blocks,
        prompt,
        task,
        tuple(len({name for turn in one.turns for name in turn.recalled}) for one in tried.episodes),
        _waking(tried.episodes),
        tuple(_notes(arm, tried)),
        agent=tried.agent,
    )


def _blocks(episodes: Sequence[Episode]) -> set[str]:
    return {block.partition(":")[0] for one in episodes for turn in one.turns for block in turn.blocks}


def _prompt(tried: _Tried, plain: _Tried, wanted: Sequence[str]) -> tuple[tuple[Piece, ...], str]:
    """The last prompt in which one of the wanted blocks stands; where none has one, the last."""
    asked = {(one.t, one.step): one for one in tried.calls if one.phase == "stream" and one.purpose == "acting"}
    usual = {(one.t, one.step): one for one in plain.calls if one.phase == "stream"}
    found: tuple[int, Turn, Call] | None = None
    for t, episode in reversed(list(enumerate(tried.episodes))):
        turn = next((one for one in reversed(episode.turns) if (t, one.step) in asked and one.usage.calls), None)
        if turn is None:
            continue
        found = found or (t, turn, asked[t, turn.step])
        if any(block.partition(":")[0] in wanted for block in turn.blocks):
            found = (t, turn, asked[t, turn.step])
            break
    if found is None:
        return (), ""
    t, turn, call = found
    known = usual.get((t, call.step))
    step = tried.agent.step.instruction if tried.agent is not None else ""
    head = head_of(_messages(known)) if known is not None else step
    return tuple(pieces_of(_messages(call), turn.blocks, head)), tried.episodes[t].task.id


def _messages(call: Call) -> list[dict[str, str]]:
    return [{"role": role, "text": text} for role, text in call.prompt]


def _waking(episodes: Sequence[Episode]) -> Waking | None:
    turns = [turn for one in episodes for turn in one.turns if turn.move is not None and turn.move.cause == "tick"]
    if not turns:
        return None
    woke = [(turn.move.seen, bool(turn.usage.calls) or turn.move.action != WAIT) for turn in turns if turn.move]
    return Waking(len(woke), sum(one for _, one in woke), tuple(dict.fromkeys(woke)))


def _notes(arm: Arm, tried: _Tried) -> Iterator[str]:
    if not tried.whole:
        yield f"tried on {len(tried.costs)} tasks only, since it is slow"
    if own := _own(arm):
        yield f"not the toolkit's own, tried as it is: {names(own)}"
    asked = dict.fromkeys(step for part in arm.acting for step in thinks(part))
    if asked:
        yield f"what a model would write ({names(list(asked))}) is made up: its length is a guess"
    if arm.learning.revisits:
        yield "what it compiles after the sample's last task is not in here"


def _own(arm: Arm) -> list[str]:
    """Names of the components of one's own."""
    return list(dict.fromkeys(type(one).__name__ for part in arm.acting for one in _all(part) if not _ours(one)))


def _all(part: Component) -> Iterator[Component]:
    yield part
    for one in parts_of(part):
        yield from _all(one)


def _ours(part: Component) -> bool:
    return is_shipped(type(part))


def _course(values: NDArray[np.float64]) -> str:
    """At the first task, at the last and on average, signed."""
    first, last, mean = (f"{round(float(one), 1):+,g}" for one in (values[0], values[-1], values.mean()))
    same = len(set(values.tolist())) == 1
    return first if same else f"{first} at the first, {last} at the last, {mean} on average"
