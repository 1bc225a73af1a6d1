"""Studies that go on: opened again by name, and extended by seeds, arms, orders and streams."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any

from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.streams.stream import Stream


def opened(name: str, ledger: Ledger, tracking: str = "") -> Study:
    """A study of a ledger by its name; see `Study.open`."""
    from toolkit.evaluation.spec import load

    folder = ledger.find(name)
    try:
        return load(folder, ledger=ledger.root, tracking=tracking)
    except SpecError as error:
        sources = sorted(path.stem for path in (folder / "code").glob("*.py"))
        hints = [
            f"the class {source} is not defined here: its source is in {folder / 'code' / source}.py; define it first"
            for source in sources
            if any(repr(source) in mistake for mistake in error.mistakes)
        ]
        raise SpecError([*error.mistakes, *hints]) from error


def extended(
    study: Study,
    *,
    seeds: int | Sequence[int] = (),
    arms: Sequence[Arm] = (),
    orders: str | Sequence[str] = (),
    streams: Stream | Sequence[Stream] = (),
) -> Study:
    """A study with more of each; see `Study.extend`. What is there already is not added twice, but for arms.

    Raises
    ------
    SpecError
        If the result is no study, e.g. since two arms have one name.
    """
    more = (orders,) if isinstance(orders, str) else tuple(orders)
    other = (streams,) if isinstance(streams, Stream) else tuple(streams)
    changed = {
        "seeds": tuple(dict.fromkeys([*study.seeds, *_new_seeds(study, seeds)])),
        "arms": (*study.arms, *arms),
        "order": tuple(dict.fromkeys([*study.orders, *more])),
        "streams": (*study.streams, *other),
    }
    return copy(study, **changed)


def copy(study: Study, **changed: Any) -> Study:
    """A study with other values for some parameters, those of the constructor."""
    apart = {"stream", "scorers", "tracking", "self"}
    given: dict[str, Any] = {
        "order": study.orders,
        "scorers": study.scorers if study.scorers_named else None,
        "tracking": study.tracking.target.asked,
    }
    names = [name for name in inspect.signature(type(study).__init__).parameters if name not in apart | set(given)]
    return type(study)(**{name: getattr(study, name) for name in names} | given | changed)


def _new_seeds(study: Study, seeds: int | Sequence[int]) -> Iterator[int]:
    """Seeds as they were asked for; a number asks for so many that the study does not have yet, the lowest first."""
    if not isinstance(seeds, int):
        yield from seeds
        return
    if seeds < 1:
        raise SpecError([f"extend: seeds must be how many more, at least 1, or a list of them, but is {seeds}"])
    yield from islice((seed for seed in count() if seed not in study.seeds), seeds)
