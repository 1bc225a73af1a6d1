"""Long conversations as streams: all sessions are told first, in order, then questions are asked about them.

The sessions stand in `Stream.told`: every arm's memory is handed them, turn by turn, before the first question, and
what a memory does with them is what is compared. Nothing is downloaded. Run these with ``channel = "NoFeedback"``:
a revealed answer would be one more thing that was told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import Any, ClassVar

from toolkit.errors import SpecError, names
from toolkit.records import Key, Step, Task
from toolkit.streams.benchmarks import Benchmark
from toolkit.streams.stream import Pair

NOT_MENTIONED = ("not mentioned", "no information available", "unknown")
"""What counts as right where a conversation does not say; the first is what the instruction asks for."""

_STEP = Step(
    "decide",
    f"Answer the question about the conversation in a few words. If it does not say, answer: {NOT_MENTIONED[0]}.",
    ("question",),
)


class Conversations(Benchmark, abstract=True):
    """Base of streams that are told sessions and asked questions; a subclass reads its file."""

    step = _STEP
    scorers = ("token_f1", "contains", "normalised")
    rewards: ClassVar[tuple[str, ...]] = ("memory", "learning")
    path: str

    def read(self) -> tuple[Sequence[Task], Sequence[Pair]]:
        """What is told and what is asked."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its file is read: define read()")

    @cached_property
    def _read(self) -> tuple[Sequence[Task], Sequence[Pair]]:
        return self.read()

    def told(self) -> Sequence[Task]:
        """The turns of all sessions, each a text with who said it and when."""
        return self._read[0]

    def load(self) -> Sequence[Pair]:
        """The questions."""
        return self._read[1]

    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (Path(expanduser(self.path)),)

    def _json(self) -> Any:
        file = self.files()[0]
        try:
            return json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SpecError([f"{file}: the conversations cannot be read: {error}"]) from error

    def _wrong(self, what: str) -> SpecError:
        return SpecError([f"{self.files()[0]}: {what}"])


class Locomo(Conversations):
    """LoCoMo: one very long conversation between two people over many sessions, and questions about it, English.

    Questions whose premise is false (category 5) have no answer in the data: `NOT_MENTIONED` is right there.

    Parameters
    ----------
    path
        The JSON file of the repository snap-research/LoCoMo, or a part of it.
    conversation
        Which of the file's conversations, from 0.
    categories
        Kinds of questions: 1 several sessions, 2 time, 3 inference, 4 one session, 5 false premise.
    questions
        How many, from the first; 0 = all.

    References
    ----------
    Maharana et al. 2024, Evaluating very long-term conversational memory of LLM agents, ACL. The data are licensed
    under CC BY-NC 4.0: not for commercial use.
    """

    licence: ClassVar[str] = "CC BY-NC 4.0"
    caution: ClassVar[str] = (
        "LoCoMo: published scores are contested (a plain file agent was reported at 74.0 where a memory product stood "
        "at 68.5; see issue 2800 of mem0ai/mem0). Compare arms that were run here, not with figures from elsewhere."
    )

    def __init__(
        self, path: str, conversation: int = 0, categories: tuple[int, ...] = (1, 2, 3, 4, 5), questions: int = 0
    ) -> None:
        self.path = path
        self.conversation = conversation
        self.categories = categories
        self.questions = questions

    def read(self) -> tuple[Sequence[Task], Sequence[Pair]]:
        """One conversation of the file."""
        held = self._json()
        if not isinstance(held, list) or not 0 <= self.conversation < len(held):
            size = len(held) if isinstance(held, list) else "none"
            raise self._wrong(f"conversation must be from 0 to one less than {size} but is {self.conversation}")
        one = held[self.conversation]
        try:
            told = tuple(_locomo_turns(one["conversation"]))
            asked = tuple(pair for place, row in enumerate(one["qa"]) for pair in self._asked(place, row))
        except (KeyError, TypeError, AttributeError) as error:
            raise self._wrong(f"conversation {self.conversation} is not as LoCoMo writes it: {error!r}") from error
        if not asked:
            raise self._wrong(f"conversation {self.conversation} has no question of the categories {self.categories}")
        return told, asked[: self.questions or None]

    def _asked(self, place: int, row: Mapping[str, Any]) -> Iterator[Pair]:
        if row["category"] in self.categories:
            right = NOT_MENTIONED if row["category"] == 5 else (str(row["answer"]),)
            task = Task(f"c{row['category']}-{place:03}", {"question": str(row["question"])}, time=float(1e6 + place))
            yield task, Key(right)


def _locomo_turns(held: Mapping[str, Any]) -> Iterator[Task]:
    number = place = 0
    while f"session_{(number := number + 1)}" in held:
        when = held[f"session_{number}_date_time"]
        for turn in held[f"session_{number}"]:
            shown = f" [shows {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            text = f"{turn['speaker']} ({when}): {turn['text']}{shown}"
            yield Task(str(turn["dia_id"]), {"said": text}, session=f"session {number}", time=float(place))
            place += 1


class LongMemEval(Conversations):
    """LongMemEval: questions of one user each to an assistant, every one with a history of chat sessions of its own.

    The history of a question is told under the user ``question_id``: give memory policies ``scope = "user"``, or all
    histories are one. Questions whose id ends in ``_abs`` cannot be answered from the history.

    Parameters
    ----------
    path
        A JSON file in the published format.
    questions
        How many, from the first; 0 = all.

    References
    ----------
    Wu et al. 2024, LongMemEval: benchmarking chat assistants on long-term interactive memory, arXiv 2410.10813.
    """

    def __init__(self, path: str, questions: int = 0) -> None:
        self.path = path
        self.questions = questions

    def read(self) -> tuple[Sequence[Task], Sequence[Pair]]:
        """All questions and their histories."""
        held = self._json()
        if not isinstance(held, list) or not held:
            raise self._wrong("must be a JSON list of questions, each with its haystack_sessions")
        rows = held[: self.questions or None]
        try:
            return tuple(turn for row in rows for turn in _histories(row)), tuple(_question(row) for row in rows)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._wrong(f"a question is not as LongMemEval writes it: {error!r}") from error


def _histories(row: Mapping[str, Any]) -> Iterator[Task]:
    user, place = str(row["question_id"]), 0
    sessions = zip(row["haystack_session_ids"], row["haystack_dates"], row["haystack_sessions"], strict=True)
    for number, (name, when, turns) in enumerate(sessions):
        for turn in turns:
            text = f"{turn['role']} ({when}): {turn['content']}"
            mark = f"{user}/{number}/{place}"
            yield Task(mark, {"said": text}, user=user, session=f"{user}/{name}", time=float(place))
            place += 1


def _question(row: Mapping[str, Any]) -> Pair:
    name = str(row["question_id"])
    right = NOT_MENTIONED if name.endswith("_abs") else (str(row["answer"]),)
    inputs = {"question": f"{row['question']} (asked on {row['question_date']})"}
    return Task(f"{row['question_type']}-{name}", inputs, user=name, session=f"{name}/question", time=1e6), Key(right)


class ChatLog(Conversations):
    """A chat log of one's own as JSON lines, with questions about it at the end.

    A line tells, ``{"text": …}`` with any of ``speaker``, ``user``, ``session``, ``time`` (text); or it asks,
    ``{"question": …, "answer": …}`` with any of ``user``, ``options``; ``answer`` may be a list of right ones, and null
    where the log does not say.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> tuple[Sequence[Task], Sequence[Pair]]:
        """All lines."""
        told, asked = list[Task](), list[Pair]()
        for number, row in self._rows():
            if "question" in row:
                asked.append(self._question(number, row))
            elif asked:
                raise self._wrong(f"line {number} tells after a question was asked: questions must come last")
            else:
                told.append(self._turn(number, row))
        if not asked:
            raise self._wrong('no line asks: one that does has a "question" and an "answer"')
        return tuple(told), tuple(asked)

    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        try:
            lines = self.files()[0].read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong(f"the log cannot be read: {error}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise self._wrong(f"line {number} is no JSON: {error}") from error
                known = {"text", "speaker", "user", "session", "time", "question", "answer", "options"}
                if not isinstance(row, dict) or not {"text", "question"} & set(row) or set(row) - known:
                    raise self._wrong(
                        f'line {number} must have a "text" or a "question", and else {names(sorted(known))}'
                    )
                yield number, row

    def _turn(self, number: int, row: Mapping[str, Any]) -> Task:
        when = f"({row['time']})" if "time" in row else ""
        head = " ".join(part for part in (str(row.get("speaker", "")), when) if part)
        text = f"{head}: {row['text']}" if head else str(row["text"])
        user, session = str(row.get("user", "")), str(row.get("session", ""))
        return Task(f"line-{number}", {"said": text}, (), user, session, float(number))

    def _question(self, number: int, row: Mapping[str, Any]) -> Pair:
        if "answer" not in row:
            raise self._wrong(f'line {number} asks but has no "answer": null where the log does not say')
        answer = row["answer"]
        right = NOT_MENTIONED if answer is None else tuple(map(str, answer if isinstance(answer, list) else [answer]))
        options = tuple(map(str, row.get("options", ())))
        inputs, user = {"question": str(row["question"])}, str(row.get("user", ""))
        return Task(f"line-{number}", inputs, options, user, time=float(number)), Key(right)
