"""Changing a live agent's past: a user is forgotten, or everything is derived again as what the agent is now.

Either way what is left is lived through again, and only when that is done is the file changed, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from toolkit.agents.diary import known, mark
from toolkit.errors import names
from toolkit.ledger.agents import AgentFile, Changed, Place
from toolkit.ledger.call import Call
from toolkit.ledger.events import Event, Stage
from toolkit.records import Experience, Task
from toolkit.traits.memory.policy import Forgotten

if TYPE_CHECKING:
    from toolkit.agents.diary import Diary

_TELLING = 8  # characters from which on a text that others' tasks hold as well is no coincidence


class Relived(Protocol):
    """How an agent lives through events again."""

    def __call__(
        self, events: Iterable[Event], told: Callable[[Event, list[Event]], object], *, anew: bool = False
    ) -> Diary:
        """The agent that came of it."""
        ...


def forgotten(file: AgentFile, user: str, relived: Relived) -> Forgotten:
    """Remove a user from an agent's file; see `LiveAgent.forget`."""
    past = list(file.events())
    ids = {event.experience.id for event in past if event.kind != "forget" and event.experience.task.user == user}
    own = [event for event in past if event.experience.id in ids]
    if not own:
        return Forgotten()
    rest = [event for event in past if event.experience.id not in ids]
    texts = {text for event in own for text in _texts(event.experience) if text.strip()}
    changed = _again(file, rest, relived)
    gone = {event.seq for event in own}
    kept = {event.seq for event in rest}
    blank = [place for place, call in _acting(file, kept) if _holds(call, texts)]
    trace = Event("forget", "stream", past[-1].t, Experience("", Task("", {}), ""))
    origin = file.meta().get("origin")
    file.rewrite(changed, gone=gone, blank=blank, event=trace)
    return Forgotten(
        tuple(dict.fromkeys(event.experience.id for event in own)), tuple(_left(rest, user, ids, texts, origin))
    )


def derived(file: AgentFile, relived: Relived, values: Mapping[str, object]) -> None:
    """Live through everything again as another arm, model or embedder, and write down that it is now that one."""
    file.rewrite(_again(file, list(file.events()), relived), values=values)


def _again(file: AgentFile, events: Sequence[Event], relived: Relived) -> Changed:
    """What living through these events again changes."""
    every = {known(call): (stage, (seq, call.step, call.ordinal)) for seq, stage, call in file.calls()}
    found: dict[tuple[object, ...], None] = {}
    new: list[tuple[int, Stage, Call]] = []

    def note(event: Event, written: list[Event]) -> None:
        for stage, call in (one for each in written for one in each.calls):
            found[known(call)] = None
            if known(call) not in every:
                new.append((event.seq, stage, call))

    life = relived(events, note, anew=True)
    seqs = {event.seq for event in events}
    lost = [
        place for key, (stage, place) in every.items() if stage == "learn" and key not in found and place[0] in seqs
    ]
    needed = [*(one.text for one in life.memory.memories()), *(event.experience.task.text for event in events)]
    texts = set(map(mark, needed))
    vectors = {key: vector for key, vector in life.embedded().items() if key[1] in texts}
    return Changed(lost, new, texts, vectors)


def _acting(file: AgentFile, kept: set[int]) -> Iterator[tuple[Place, Call]]:
    for seq, stage, call in file.calls():
        if seq in kept and stage == "act":
            yield (seq, call.step, call.ordinal), call


def _holds(call: Call, texts: Iterable[str]) -> bool:
    said = "\n".join([*(text for _, text in call.prompt), call.answer])
    return any(text in said for text in texts)


def _texts(seen: Experience) -> Iterator[str]:
    """The words of a user in what they said."""
    yield from seen.task.inputs.values()
    if seen.feedback is not None:
        yield from (seen.feedback.correction or "", seen.feedback.text)


def _left(
    rest: Sequence[Event], user: str, ids: set[str], texts: set[str], origin: Mapping[str, object] | None
) -> Iterator[str]:
    """What is still there, in words."""
    telling = {text for text in texts if len(text) >= _TELLING}
    name = re.compile(rf"(?<!\w){re.escape(user)}(?!\w)") if user else None
    quoting, told = dict[str, None](), dict[str, None]()
    for event in rest:
        seen = event.experience
        words = "\n".join([*_texts(seen), seen.answer])
        if any(text in words for text in telling) or (name and name.search(words)):
            quoting[seen.id] = None
        elif ids & set(seen.recalled):
            told[seen.id] = None
    if quoting:
        yield f"what others said or were answered has the same words or the name in it: read {names(list(quoting))}"
    if told:
        yield (
            f"others were answered with memories of this user in the prompt ({names(list(told))}): their answers may "
            "repeat in other words what it said"
        )
    if origin:
        yield f"the study {origin['study']!r}, which the agent comes from, keeps its own episodes and calls"
