"""τ²-bench's retail and mock domains as a stream of worlds, from files that the user has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import ClassVar, Literal

from toolkit.errors import SpecError, nearest
from toolkit.records import Step, Task
from toolkit.streams.stream import Pair
from toolkit.streams.tau2.cases import Case, cases_of, splits_of, tables_of
from toolkit.streams.tau2.database import Domain
from toolkit.streams.tau2.mock import MOCK
from toolkit.streams.tau2.retail import RETAIL
from toolkit.streams.tau2.user import Opening, ScriptedUser
from toolkit.streams.tau2.world import Tau2World
from toolkit.streams.worlds import WorldStream

_DOMAINS: Mapping[str, Domain] = {"retail": RETAIL, "mock": MOCK}
_FILES = ("tasks.json", "split_tasks.json", "policy.md", "db.json")
_HOW = "One call of a tool a turn; only ask and say reach the customer; wait when all is done."


class Tau2(WorldStream):
    """τ²-bench: customers of a shop, each with a wish that its policy grants or not, English.

    The agent has the policy in its instruction, a database under its tools, and a customer to `ask` and to `say`
    things to. Tools and customer are the toolkit's own: the customer is a `ScriptedUser`, which needs no model and only
    tells facts of its scenario, so that results are **not** comparable with published ones, where a model plays it.
    What a task is judged by is the benchmark's, but for what a model would have to judge; see `Tau2World`.

    Parameters
    ----------
    path
        Folder with a folder for each domain: ``data/tau2/domains`` of the repository sierra-research/tau2-bench.
    domain
        ``"retail"``: 114 tasks on orders of a shop. ``"mock"``: a list of things to do, for trying things out; 8 of its
        10 tasks can be played, see `left_out`.
    split
        One of the domain's splits: ``"base"`` (all), for retail also ``"train"`` (74) and ``"test"`` (40).
    tasks
        How many, from the first of the split; 0 = all.
    opening
        What a customer says at first: ``"all"``, what they want and who they are; ``"reason"``, only what they want, so
        that the agent must ask.
    delay
        Tasks that pass before feedback arrives, at least 0.

    References
    ----------
    Barres, Dong, Ray, Si, Narasimhan 2025, τ²-bench: evaluating conversational agents in a dual-control environment,
    arXiv:2506.07982; Yao, Shinn, Razavi, Narasimhan 2024, τ-bench, arXiv:2406.12045. The data are licensed under MIT.

    Examples
    --------
    >>> Tau2("domains", domain="retail", split="test", tasks=20)
    Tau2(path='domains', split='test', tasks=20)
    """

    licence: ClassVar[str] = "MIT"
    caution: ClassVar[str] = (
        "Tau2: the customer is scripted and statements on the talk are not judged, so scores are not those of the "
        "published benchmark; an agent that does nothing reaches the tasks that want nothing changed."
    )

    def __init__(
        self,
        path: str,
        domain: Literal["retail", "mock"] = "retail",
        split: str = "base",
        tasks: int = 0,
        opening: Opening = "all",
        delay: int = 0,
    ) -> None:
        self.path = path
        self.domain = domain
        self.split = split
        self.tasks = tasks
        self.opening = opening
        self.delay = delay

    @cached_property
    def step(self) -> Step:  # type: ignore[override]
        """The decision: which call comes next, by the domain's policy."""
        self.check()
        policy = self._file("policy.md").read_text("utf-8").strip()
        return Step("act", f"You serve a customer by this policy. {_HOW}\n\n{policy}", ("task",), "action")

    def load(self) -> Sequence[Pair]:
        """The split's tasks in its order, each with its reference as key."""
        found: list[Pair] = []
        for case in self._cases.values():
            first = ScriptedUser(case.scenario, self.opening).first
            said = f"{case.history}\n\n{first}" if case.history else first
            task = Task(f"{self.domain}-{case.id}", {"task": said}, time=float(len(found)))
            found.append((task, self.key_of(task, delay=self.delay)))
        return tuple(found)

    def world(self, task: Task) -> Tau2World:
        """The case of a task, above a database that all of them share."""
        identity = task.id.removeprefix(f"{self.domain}-")
        if identity not in self._cases:
            known = [f"{self.domain}-{one}" for one in self._cases]
            raise SpecError([f"{self!r}: there is no task {task.id!r}; {nearest(task.id, known)}"])
        tables = tables_of(self.files()[len(_FILES) - 1 :])
        return Tau2World(self._cases[identity], _DOMAINS[self.domain], tables, self.opening)

    def left_out(self) -> Mapping[str, str]:
        """Why tasks of the domain cannot be played, by id."""
        return self._read[1]

    @property
    def label(self) -> str:
        """With the domain."""
        return f"tau2-{self.domain}"

    @cached_property
    def _read(self) -> tuple[Mapping[str, Case], Mapping[str, str]]:
        self.check()
        return cases_of(self._file("tasks.json"))

    @cached_property
    def _cases(self) -> Mapping[str, Case]:
        cases, _ = self._read
        splits = splits_of(self._file("split_tasks.json"))
        if self.split not in splits:
            raise SpecError([f"Tau2: {self.domain} has no split {self.split!r}; {nearest(self.split, splits)}"])
        ids = [one for one in splits[self.split] if one in cases]
        if self.tasks > len(ids):
            raise SpecError([f"Tau2: tasks must be at most {len(ids)}, all of {self.split}, but is {self.tasks}"])
        return {one: cases[one] for one in ids[: self.tasks or None]}

    def files(self) -> tuple[Path, ...]:
        """The domain's files, those of the database last."""
        return tuple(self._file(name) for name in (*_FILES, *(["user_db.json"] if self.domain == "mock" else [])))

    def _file(self, name: str) -> Path:
        return Path(expanduser(self.path)) / self.domain / name

    def check(self) -> None:
        """Every parameter is in range and every file there."""
        mistakes = []
        if self.domain not in _DOMAINS:
            raise SpecError([f"Tau2: domain must be retail or mock but is {self.domain!r}"])
        if self.opening not in ("all", "reason"):
            mistakes.append(f"Tau2: opening must be 'all' or 'reason' but is {self.opening!r}")
        for name in ("tasks", "delay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                mistakes.append(f"Tau2: {name} must be a whole number of at least 0 but is {value!r}")
        mistakes += [
            f"{file}: there is no such file; Tau2 reads the folder data/tau2/domains of "
            "github.com/sierra-research/tau2-bench: copy it and give its path"
            for file in self.files()
            if not file.is_file()
        ]
        if mistakes:
            raise SpecError(mistakes)
