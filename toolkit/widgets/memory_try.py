"""How a memory policy works, drawn from what it did with a sample; and a box to try what it would recall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ipywidgets

from toolkit.analysis.shown import html_table
from toolkit.errors import ToolkitError
from toolkit.evaluation.adds import Adds
from toolkit.evaluation.recalling import Found, Kept, Recalled, Recalling, kept_by, stands_in, untried
from toolkit.traits.memory import MemoryPolicy
from toolkit.widgets.adds import COLOURS, AddsView, prompt_html
from toolkit.widgets.fold import Fold
from toolkit.widgets.page import short, text

_LABEL = {"description_width": "9.5em"}
_WIDE = {"width": "46em", "max_width": "98%"}
_BOX = (
    "border: 1px solid var(--jp-border-color1, #bbb); border-radius: 4px; padding: 0.3em 0.6em; flex: 0 1 13em; "
    "min-width: 9em; overflow-wrap: anywhere"
)
_FLOW = (
    "display: flex; flex-wrap: wrap; gap: 0.3em; align-items: stretch; margin: 0.3em 0; padding: 0; "
    "color: var(--jp-ui-font-color1, #17191c); line-height: 1.35; font-size: 0.92em"
)
_ARROW = '<span aria-hidden="true" style="align-self: center">→</span>'
_MOST = 10_000  # characters of a memory that are kept of what is typed; and of those in a table, 300


class MemoryTry(ipywidgets.VBox):
    """The drawing of a memory policy, and the box to try it.

    Parameters
    ----------
    adds
        The view of what it adds: its sample, and its agent after the sample.

    Attributes
    ----------
    drawing
        What it writes and recalls, as HTML.
    asked, texts, button, said
        A text; memories of one's own, one a line; the button; what came of it.
    recalled
        What was recalled last; None = nothing was asked, or it could not be tried.
    """

    def __init__(self, adds: AddsView) -> None:
        self._adds = adds
        self._filled: tuple[MemoryPolicy, tuple[str, ...], Recalling] | None = None
        self.recalled: Recalled | None = None
        self.drawing, self.said = ipywidgets.HTML(), ipywidgets.HTML()
        self.asked = ipywidgets.Text(
            description="text", placeholder="what a task would say", style=_LABEL, layout=_WIDE, continuous_update=False
        )
        self.texts = ipywidgets.Textarea(
            description="memories", rows=4, style=_LABEL, layout=_WIDE,
            placeholder="empty = the sample's tasks; else one a line: a text, or text -> right answer",
        )  # fmt: skip
        self.button = ipywidgets.Button(description="Recall")
        self.button.on_click(self.ask)
        box = [self.asked, self.texts, self.button, self.said]
        self.fold = Fold("Try it: what would be recalled for a text", box)
        super().__init__([self.drawing, self.fold])
        self.look()

    def look(self) -> None:
        """Draw what the form shows now; what was recalled by another policy goes."""
        found = self._adds.found
        agent = None if found is None else found.agent
        self.drawing.value = "" if found is None or agent is None else drawn(found, kept_by(agent.memory))
        if self._filled is not None and (agent is None or self._filled[0] != agent.memory):
            self._filled, self.recalled, self.said.value = None, None, ""

    def ask(self, _: object = None) -> None:
        """Recall for the text that was typed."""
        self.recalled = None
        found = self._adds.found
        if found is None or found.agent is None:
            self.said.value = _told("there is no policy to try: see what is wrong above")
            return
        policy: MemoryPolicy = found.agent.arm.memory
        if reason := untried(policy):
            self.said.value = _told(f"{type(policy).__name__}: {reason}")
            return
        try:
            self.recalled = self._memory(policy).ask(self.asked.value)
            self.said.value = "".join(_answer(self.recalled, policy))
        except (ToolkitError, ValueError) as error:
            self.said.value = _told(str(error))
        except Exception as error:  # noqa: BLE001  (a policy of one's own raises what it likes: nobody sees it of a button)
            self.said.value = _told(f"{type(policy).__name__} raised {type(error).__name__}: {error}")

    def _memory(self, policy: MemoryPolicy) -> Recalling:
        """The memory filled as the box says; made anew only where that has changed."""
        texts = tuple(one[:_MOST] for one in self.texts.value.splitlines() if one.strip())
        if self._filled is None or self._filled[:2] != (policy, texts):
            self._filled = (policy, texts, Recalling(policy, self._adds.sample, texts))
        return self._filled[2]


def drawn(found: Adds, kept: Sequence[Kept]) -> str:
    """What a policy writes and recalls as a row of boxes, from what it did with the sample.

    Parameters
    ----------
    found
        What came of the sample.
    kept
        The policy and those within it.
    """
    boxes = [
        ("event", list(_events(found))),
        ("write", list(_writes(found, kept))),
        ("store", list(_stores(kept))),
        ("recall", list(_recalls(found, kept))),
        ("prompt block", list(_block(found))),
    ]
    told = [_box(name, lines) for name, lines in boxes]
    alone = "; ".join(f"{name}: {', '.join(lines)}" for name, lines in boxes)
    return f'<div role="list" aria-label="{text(alone)}" style="{_FLOW}">{_ARROW.join(told)}</div>'


def _box(name: str, lines: Sequence[str]) -> str:
    own = f"; border-top: 4px solid {COLOURS['memory']}" if name == "prompt block" else ""
    told = "".join(f"<br>{text(short(line, 160))}" for line in lines)
    return f'<div role="listitem" style="{_BOX}{own}"><b>{name}</b>{told}</div>'


def _events(found: Adds) -> Iterator[str]:
    labels = found.before[2]
    if labels:
        yield f"{labels} labelled tasks, beforehand"
    yield f"{len(found.tokens)} tasks, each seen when answered and again when feedback comes"


def _writes(found: Adds, kept: Sequence[Kept]) -> Iterator[str]:
    yield kept[0].policy
    asks = list(dict.fromkeys(step for one in kept for step in one.asks))
    calls = float(found.calls.sum())
    if asks or calls > 0:
        yield f"asks a model: {', '.join(asks) or 'as it likes'}, {calls:g} calls on the sample"
        yield "what it would answer is made up here"
    else:
        yield "no model is asked"


def _stores(kept: Sequence[Kept]) -> Iterator[str]:
    for one in kept:
        where = f"{one.place}: {one.policy}, " if one.place else ""
        what = (
            ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in one.kinds) or "nothing it shows"
        )
        limit = "no limit" if one.limit is None else f"at most {one.limit:,}"
        yield f"{where}{what}; {limit}"


def _recalls(found: Adds, kept: Sequence[Kept]) -> Iterator[str]:
    for one in kept:
        if one.parameters:
            head = f"{one.place}: " if one.place else ""
            yield head + ", ".join(f"{name} = {value}" for name, value in one.parameters)
    if found.recalled:
        yield f"{found.recalled[-1]} at the last task, {max(found.recalled)} at most"


def _block(found: Adds) -> Iterator[str]:
    own = [one for one in found.prompt if "memory" in one.block.split(" and ")]
    if not own:
        yield "nothing stood there in the sample"
        return
    cases, size = sum(one.said_by == "assistant" for one in own), sum(len(one.text) for one in own)
    notes = any(one.said_by != "assistant" and one.text.startswith("Notes:") for one in own)
    yield "memory"
    if cases:
        yield f"{cases} worked examples"
    if notes:
        yield "notes above the task"
    yield f"about {-(-size // 4)} tokens, for task {found.task}"


def _answer(one: Recalled, policy: MemoryPolicy) -> Iterator[str]:
    """What was recalled, and the block in the prompt."""
    yield f'<div role="status">{len(one.found)} recalled of {one.kept} that are kept.</div>'
    if one.found:
        rows = [_row(place, hit, one.scored) for place, hit in enumerate(one.found, start=1)]
        head = ["rank", "memory", "text", "answer", "score"] if one.scored else ["rank", "memory", "text", "answer"]
        yield html_table(head, rows, left=len(head))
    yield f"<p><small>{text(_scores(one, policy))}</small></p>"
    if one.block:
        yield f"<p>As it would stand in the prompt:</p>{prompt_html(one.block)}"


def _row(place: int, hit: Found, scored: bool) -> list[str]:
    score = "" if hit.score is None else f"{hit.score:.3f}"
    return [str(place), *(short(one, 300) for one in (hit.id, hit.text, hit.answer)), *([score] if scored else [])]


def _scores(one: Recalled, policy: MemoryPolicy) -> str:
    told = "Scores are by the policy's own measure." if one.scored else "The policy goes by no number, or tells none."
    other = stands_in(policy)
    return f"{told} {other} is not asked: WordLlama stands in for it." if other else told


def _told(mistake: str) -> str:
    return f'<span role="alert" style="color: var(--jp-error-color1, #b00020)">{text(mistake)}</span>'
