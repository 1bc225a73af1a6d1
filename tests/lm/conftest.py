"""What tests of models over HTTP share: a server, no keys of the user's own, no pauses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Stub, serving


@pytest.fixture(autouse=True)
def _no_keys_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("OPENAI", "ANTHROPIC"):
        for word in ("API_KEY", "API_BASE", "BASE_URL"):
            monkeypatch.delenv(f"{provider}_{word}", raising=False)


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    with serving(made) as address:
        made.address = address
        yield made


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that DSPy would make before each new attempt."""
    from dspy.clients import execution

    made, real = list[float](), execution._delay

    def pause(error: Exception, attempt: int) -> float:
        made.append(real(error, attempt))
        return 0.0

    monkeypatch.setattr(execution, "_delay", pause)
    return made
