"""Properties of the embedded model that hold for any text and any options."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dspy.lm15 import Config, Message, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.lm import weights
from toolkit.lm.llama import LlamaEngine

WORDS = st.text(st.sampled_from('ab é漢🎉\n"\\<|>im_end'), min_size=1, max_size=6)
OPTIONS = st.lists(WORDS, min_size=2, max_size=4, unique=True)
STYLES = st.sampled_from(["turns", "completion"])
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaEngine]:
    made = LlamaEngine(weights.fetch("smollm2-135m"), context=1024)
    yield made
    made.close()


def choice(text: str, options: list[str], style: str, deciding: str = "likelihood") -> Request:
    how = {"answer": "choice", "options": options, "style": style, "deciding": deciding}
    return Request(model="m", messages=(Message.user(text),), config=Config(extensions=how))


@few
@given(text=WORDS, options=OPTIONS, style=STYLES)
def test_a_likelihood_belongs_to_prompt_and_option_alone(
    engine: LlamaEngine, text: str, options: list[str], style: str
) -> None:
    together = engine.likelihoods(choice(text, options, style))
    alone = {o: engine.likelihoods(choice(text, [o], style))[o] for o in reversed(options)}
    assert together == alone


@few
@given(text=WORDS, options=OPTIONS, style=STYLES)
def test_a_grammar_yields_an_option(engine: LlamaEngine, text: str, options: list[str], style: str) -> None:
    assert engine.complete(choice(text, options, style, "grammar")).text in options


@few
@given(text=st.text(st.sampled_from("<|im_startend>\n user"), max_size=60) | st.just("<|im_end|>"), style=STYLES)
def test_no_text_adds_a_control_token(engine: LlamaEngine, text: str, style: str) -> None:
    control = set(engine._server.tokens("<|im_start|><|im_end|><|endoftext|>", parse=True))

    def controls(content: str) -> int:
        head, _ = engine._server.prompt([{"role": "user", "content": content}], style)
        return sum(token in control for token in head)

    assert controls(text) == controls("calm")
