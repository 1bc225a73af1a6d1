"""Models over HTTP: limits are kept, prices are known or said to be unknown, no key is written, identity holds."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from errands import Errands, finish
from serving import (
    KEY,
    Handler,
    Stub,
    assert_absent,
    calls,
    completion,
    fails,
    hosted,
    only,
    says,
    sends,
    serving,
    study,
)

from toolkit.agents.arm import Arm
from toolkit.component import build
from toolkit.errors import Outage
from toolkit.ledger.store import Ledger
from toolkit.lm import hosted_engine
from toolkit.lm.embedders import HostedEmbedder
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import model
from toolkit.lm.secrets import redacted, secrets

# Limits and prices


class Noted:
    """A throttle that waits for nobody and keeps what it was told."""

    def __init__(self, requests: int, tokens: int) -> None:
        self.limits, self.expected, self.used, self.held = (requests, tokens), [], [], []

    def enter(self, tokens: float) -> float:
        self.expected.append(tokens)
        return 0.0

    def settle(self, expected: float, used: float) -> None:
        self.used.append(used)

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_limits_are_kept_with_what_is_expected_and_put_right(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, no_pauses: list[float]
) -> None:
    monkeypatch.setattr(hosted_engine, "Throttle", Noted)
    stub.script = [says("post"), fails(429, Retry_After="9")]
    lm = hosted(stub, requests_per_minute=60, tokens_per_minute=600, max_tokens=500)
    finish(study(lm, ledger, tasks=2))
    noted = lm.engine(Errands())._throttle
    prompts = [sum(len(message["content"]) for message in body["messages"]) / 4 for body in stub.asked]
    assert noted.limits == (60, 600)
    assert noted.expected == [prompts[0] + 500, prompts[1] + 3, prompts[2] + 3]
    assert noted.used == [14, 14]
    assert noted.held == [9.0]


def test_waiting_for_a_limit_is_no_latency_of_the_model(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1000.0])
    monkeypatch.setattr(hosted_engine, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    made = finish(study(hosted(stub), ledger, tasks=1))
    assert calls(made)[0]["seconds"] == 0


@pytest.mark.parametrize(
    ("provider", "counted"),
    [("openai-chat", (10, 4)), ("gemini", (10, 7)), ("anthropic", (16, 4)), ("bedrock-anthropic", (16, 4))],
)
def test_tokens_are_counted_in_one_way(provider: str, counted: tuple[int, int]) -> None:
    from dspy.lm15 import Message, Response, Usage

    used = Usage(input_tokens=10, output_tokens=4, cache_read_tokens=5, cache_write_tokens=1, reasoning_tokens=3)
    found = hosted_engine.settled(Response(None, "m", Message.assistant("x"), "stop", used), provider)
    assert (found.input_tokens, found.output_tokens) == counted
    assert (found.cache_read_tokens, found.reasoning_tokens) == (5, 3)


def priced(name: str, monkeypatch: pytest.MonkeyPatch, **how: Any) -> float | None:
    from dspy.lm15 import Message, Request, Response, Usage

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = hosted_engine.HostedEngine(Hosted(name, **how))
    used = Usage(input_tokens=1_000_000, output_tokens=100_000)
    response = Response(None, name.partition("/")[2], Message.assistant("x"), "stop", used)
    return engine._dollars(response, used, Request(model=name, messages=(Message.user("x"),)))


def test_a_price_is_the_users_own_or_nothing_or_listed_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert priced("openai/gpt-4o-mini", monkeypatch, dollars_in=1.0, dollars_out=10.0) == pytest.approx(2.0)
    assert priced("openai/gpt-4o-mini", monkeypatch, api_base="http://10.0.0.7:8000/v1") == 0
    assert priced("ollama_chat/llama3", monkeypatch) == 0
    assert 0.05 < (priced("openai/gpt-4o-mini", monkeypatch) or 0) < 5
    assert priced("openai/no-such-model", monkeypatch) is None


def test_an_unknown_price_is_never_0(stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_engine, "is_own", lambda address: False)
    made = finish(study(hosted(stub, "openai/no-such-model"), ledger, tasks=2, arms=(Arm.static(), Arm("b", repeat=1))))
    assert made.ledger.sql("SELECT count(*) AS n FROM calls WHERE dollars IS NULL").n[0] == 4
    found = made.compare()
    assert math.isnan(found.row("static").dollars)
    assert "n/a" in found.table()[1][0]
    assert any("price of 2 episodes is not known" in doubt for doubt in found.row("b").doubts)
    assert "n/a" in made.report().read_text(encoding="utf-8")


def test_one_unknown_price_makes_the_sum_unknown(stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = iter([1.0, None, 1.0])
    monkeypatch.setattr(hosted_engine.HostedEngine, "_dollars", lambda self, *_: next(prices))
    made = finish(study(hosted(stub), ledger))
    assert math.isnan(made.compare().row("static").dollars)
    assert "the price of 1 episodes is not known" in made.compare().row("static").doubts[-1]
    spent = re.findall(r"whole study(?:</?t[dh][^>]*>|[\d,.]|n/a|\s)+", made.report().read_text(encoding="utf-8"))
    assert any("n/a" in row for row in spent), spent


def test_a_tape_with_unknown_prices_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_engine, "is_own", lambda address: False)
    bad = Stub([says("post")], then=fails(500))
    with serving(bad) as bad.address:
        made = study(hosted(bad, "openai/no-such-model", retries=0), Ledger(tmp_path))
        assert only(made).status == "suspended"
        bad.then = says("post")
        assert (only(made).replayed, set(made.episodes().acting_dollars.isna())) == (1, {True})


# Keys


def echoes(handler: Handler, body: dict[str, Any]) -> None:
    sent = handler.headers["Authorization"]
    handler.send(200, completion(f"post {sent}", system_fingerprint=sent.partition(" ")[2]))


@pytest.mark.parametrize(
    "trouble",
    [
        fails(400, f"you sent Bearer {KEY}", x_request_id=KEY),
        fails(500, f"you sent Bearer {KEY}"),
        fails(401, f"wrong key {KEY}"),
        sends(b"x" * 180 + KEY.encode()),  # an excerpt of the body ends within the key
        echoes,
    ],
    ids=["refused", "trouble", "key", "torn", "answer"],
)
def test_a_key_reaches_no_file(stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, trouble: Any) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    stub.then = trouble
    made = study(hosted(stub, key_env="STUB_KEY", retries=1), ledger)
    record = only(made)
    assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert record.status == ("finished" if trouble is echoes else record.status)
    if trouble is echoes:
        assert "[key]" in calls(made)[0]["answer"]
        made.report()
    assert_absent(KEY, ledger)
    assert KEY not in repr(made.lm) + json.dumps(made.config())


def test_a_providers_key_does_not_go_out_in_clear_text(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    finish(study(hosted(stub), ledger, tasks=1))
    assert KEY not in json.dumps(stub.headers)
    finish(study(hosted(stub, key_env="OPENAI_API_KEY"), Ledger(ledger.root / "2"), tasks=1))
    assert stub.headers[-1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ({}, KEY),
        ({"api_base": "https://elsewhere.example/v1"}, "none"),
        ({"api_base": "https://elsewhere.example/v1", "key_env": "OPENAI_API_KEY"}, KEY),
        ({"api_base": "https://elsewhere.example/v1", "key_env": "OTHER"}, "of the other"),
    ],
)
def test_a_providers_key_goes_to_the_provider_alone(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, str], sent: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OTHER", "of the other")
    assert Hosted("openai/stub", **how).open()._key() == sent
    embedder = HostedEmbedder("openai/stub", **how)
    named = how.get("key_env", "OPENAI_API_KEY")
    head = {} if "api_base" in how and named == "OPENAI_API_KEY" else {"Authorization": f"Bearer {sent}"}
    assert embedder._headers() == head


def test_a_key_that_is_replaced_while_a_study_runs_is_used_and_hidden(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-the-first-0123456789")
    stub.then = echoes
    made = study(hosted(stub, key_env="STUB_KEY"), ledger, tasks=2)
    made.run(watch=lambda run, episode: monkeypatch.setenv("STUB_KEY", KEY))
    assert [headers["authorization"][-12:] for headers in stub.headers] == ["t-0123456789", KEY[-12:]]
    assert_absent(KEY, ledger)


def test_a_missing_key_is_an_outage_that_says_which(ledger: Ledger) -> None:
    record = only(study(Hosted("openai/gpt-4o-mini"), ledger))
    assert record.status == "suspended"
    assert "set OPENAI_API_KEY" in record.error
    with pytest.raises(Outage, match="MY_KEY"):
        Hosted("openai/gpt-4o-mini", key_env="MY_KEY").open()


def test_secrets_are_found_by_the_names_of_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "0123456789")
    monkeypatch.setenv("OTHER_TOKEN", "none")  # a word
    monkeypatch.setenv("ELSE", "abcdefghij")
    assert "0123456789" in secrets()
    assert not {"none", "abcdefghij"} & set(secrets())
    assert "abcdefghij" in secrets("ELSE")
    assert redacted("none of 0123456789", secrets()) == "none of [key]"


# Identity


def test_identity_is_what_can_change_an_answer() -> None:
    base = Hosted("openai/m", api_base="http://127.0.0.1:1/v1")
    same: dict[str, Any] = {
        "api_base": "https://other.example/v1",
        "parallel": 64,
        "requests_per_minute": 9,
        "tokens_per_minute": 9,
        "retries": 0,
        "timeout": 1.0,
        "key_env": "X",
        "dollars_in": 1.0,
        "dollars_out": 1.0,
        "options": {},
    }
    other: dict[str, Any] = {
        "name": "openai/n",
        "api_base": "",
        "adapter": "chat",
        "temperature": 1.0,
        "max_tokens": 7,
        "options": {"top_k": 1},
    }
    assert {*same, *other} | {"options", "api_base"} == set(Hosted.parameters())

    def fingerprint(**change: Any) -> str:
        return Hosted(**{"name": "openai/m", "api_base": base.api_base, **change}).fingerprint()

    assert {fingerprint(**{name: value}) for name, value in same.items()} == {base.fingerprint()}
    differing = {fingerprint(**{name: value}) for name, value in other.items()}
    assert len(differing | {base.fingerprint()}) == len(other) + 1


def test_two_addresses_have_two_engines(stub: Stub) -> None:
    stream, elsewhere = Errands(), Hosted("openai/stub", api_base="http://127.0.0.1:9/v1")
    assert hosted(stub).fingerprint() == elsewhere.fingerprint()
    assert hosted(stub).engine(stream) is hosted(stub).engine(stream)
    assert hosted(stub).engine(stream) is not elsewhere.engine(stream)


@pytest.mark.parametrize("name", ["openai/gpt-4o-mini", "ollama_chat/llama3:8b", "together_ai/org/model"])
def test_a_dspy_model_string_is_a_model(name: str) -> None:
    assert model(name) == Hosted(name)
    assert model(name).label == name


def test_it_is_written_to_a_file_and_read_back() -> None:
    for lm in (Hosted("a/b"), Hosted("a/b", dollars_in=1, dollars_out=2.5, options={"stop": ["x"], "deep": {"k": 1}})):
        again = build("lm", tomllib.loads(tomli_w.dumps(lm.config())), "lm")
        assert again == lm
        assert again.fingerprint() == lm.fingerprint()


@pytest.mark.parametrize("name", ["openai/gpt-5-mini", "openai/o3"])
def test_reasoning_models_can_be_named(name: str, stub: Stub, ledger: Ledger) -> None:
    finish(study(hosted(stub, name, temperature=1.0), ledger, tasks=1))
    assert stub.asked[0]["temperature"] == 1.0


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"name": "gpt-4o-mini"}, "provider/model"),
        ({"name": "openai/"}, "provider/model"),
        ({"api_base": "ftp://x"}, "http or https"),
        ({"api_base": "localhost:8000"}, "http or https"),
        ({"adapter": "completion"}, "must be 'turns' or 'chat'"),
        ({"temperature": -0.1}, "between 0 and 2"),
        ({"timeout": 0.0}, "positive number of seconds"),
        ({"timeout": math.inf}, "positive number of seconds"),
        ({"parallel": 0}, "parallel must be at least 1"),
        ({"retries": -1}, "retries must be at least 0"),
        ({"dollars_in": -1.0, "dollars_out": 1.0}, "price of at least 0"),
        ({"dollars_in": 1.0}, "go together"),
        ({"options": {"seed": 1}}, "leave 'seed' to the toolkit"),
        ({"options": {"api_key": KEY}}, "must hold no secret"),
        ({"options": {"x": {1, 2}}}, "plain values"),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused(how: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as found:
        Hosted(**{"name": "openai/m", **how}).check()
    assert KEY not in str(found.value)


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    for address in (f"https://me:{KEY}@host/v1", f"https://host/v1?key={KEY}"):
        with pytest.raises(ValueError, match="no user, password or query") as found:
            Hosted("openai/m", api_base=address).check()
        assert KEY not in str(found.value)
