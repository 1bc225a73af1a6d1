"""Models over HTTP, against a server that misbehaves: nothing is lost, nothing is invented, no key is written."""

from __future__ import annotations

import json
import math
import re
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from errands import Errands, finish
from serving import Handler, Stub, completion, drips, fails, hangs, says, sends, serving

from toolkit.agents.arm import Arm
from toolkit.component import build
from toolkit.errors import Outage, SpecError
from toolkit.evaluation.study import Study
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import Ledger
from toolkit.lm import hosted_engine
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import model
from toolkit.lm.secrets import redacted, secrets
from toolkit.streams.channel import NoFeedback
from toolkit.streams.table import table
from toolkit.traits.memory import FullContext

KEY = "sk-planted-0123456789abcdefghij"


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


def hosted(stub: Stub, name: str = "openai/stub", **how: Any) -> Hosted:
    return Hosted(name, api_base=stub.address, **{"retries": 3, "timeout": 30.0, **how})


def study(lm: Hosted, ledger: Ledger, tasks: int = 3, seeds: int = 1, arms: tuple[Arm, ...] = (), **how: Any) -> Study:
    stream = Errands(tasks=tasks, sessions=False)
    return Study("http", stream, arms=arms or [Arm.static()], lm=lm, seeds=seeds, ledger=ledger, **how)


def only(made: Study) -> RunRecord:
    [record] = made.run()
    return record


def calls(made: Study) -> list[dict[str, Any]]:
    """Every attempt on the tape, in order, finished or not."""
    return made.ledger.sql("SELECT * FROM calls ORDER BY t, ordinal, status").to_dict("records")


# What is sent


def test_what_is_the_servers_business_is_sent_and_nothing_else(stub: Stub, ledger: Ledger) -> None:
    lm = hosted(stub, max_tokens=77, options={"top_k": 5, "chat_template_kwargs": {"thinking": False}})
    finish(study(lm, ledger, tasks=1))
    [body] = stub.asked
    assert body == {
        "model": "stub",
        "messages": [
            {
                "role": "system",
                "content": "Name the errand. Answer with the errand only. One of: post, bread, bank.",
            },
            {"role": "user", "content": body["messages"][1]["content"]},
        ],
        "max_completion_tokens": 77,
        "temperature": 0.0,
        "seed": 0,
        "stop": ["\n"],
        "top_k": 5,
        "chat_template_kwargs": {"thinking": False},
    }


def test_the_user_says_what_ends_an_answer(stub: Stub, ledger: Ledger) -> None:
    finish(study(hosted(stub, options={"stop": []}), ledger, tasks=1))
    assert "stop" not in stub.asked[0]


def test_a_choice_by_grammar_is_held_to_the_options_by_the_server(stub: Stub, ledger: Ledger) -> None:
    stub.then = says('{"answer": "bank"}')
    made = finish(study(hosted(stub), ledger, tasks=1, deciding="grammar"))
    schema = stub.asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["post", "bread", "bank"]
    assert "One of" not in stub.asked[0]["messages"][0]["content"]
    assert list(made.episodes().answer) == ["bank"]
    assert calls(made)[0]["answer"] == "bank"


@pytest.mark.parametrize("text", ["bank", '{"answer": 7}', '{"answer": "no option"}', "[]"])
def test_a_server_that_does_not_hold_to_it_is_seen(stub: Stub, ledger: Ledger, text: str) -> None:
    stub.then = says(text)
    [row] = finish(study(hosted(stub), ledger, tasks=1, deciding="grammar")).episodes().to_dict("records")
    assert row["status"] == ("ok" if text == "bank" else "unparsed")


def test_dspys_own_layout_has_no_grammar(stub: Stub, ledger: Ledger) -> None:
    stub.then = says("[[ ## errand ## ]]\nbread\n\n[[ ## completed ## ]]")
    made = finish(study(hosted(stub, adapter="chat"), ledger, tasks=1))
    assert list(made.episodes().answer) == ["bread"]
    assert "stop" not in stub.asked[0]
    with pytest.raises(SpecError, match="cannot decide by 'grammar'"):
        study(hosted(stub, adapter="chat"), ledger, deciding="grammar")


def test_as_many_runs_as_the_model_serves(ledger: Ledger, stub: Stub) -> None:
    together = threading.Barrier(12, timeout=60)

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        together.wait()  # nobody is answered before all are here
        says("post")(handler, body)

    stub.then = reply
    made = study(hosted(stub, parallel=12), ledger, tasks=2, seeds=12)
    assert [record.status for record in made.run()] == ["finished"] * 12
    assert stub.most == 12


def test_no_more_calls_at_a_time_than_allowed(ledger: Ledger, stub: Stub) -> None:
    finish(study(hosted(stub, parallel=2), ledger, tasks=4, seeds=6, workers=6))
    assert 1 <= stub.most <= 2


# Trouble


@pytest.mark.parametrize(
    "trouble",
    [
        fails(429),
        fails(500),
        fails(503),
        sends(b"{ this is no JSON"),
        sends(b"<html>bad gateway</html>"),
        sends(b""),
        sends(b"[]"),
        sends(b'{"hello": "there"}'),
        sends(b'{"choices": "none", "usage": {}}'),
        sends(json.dumps(completion("post", usage={"prompt_tokens": "many"})).encode()),
    ],
    ids=["429", "500", "503", "torn", "html", "empty", "list", "other", "choices", "usage"],
)
def test_trouble_is_retried_and_every_attempt_is_on_the_tape(
    stub: Stub, ledger: Ledger, trouble: Any, no_pauses: list[float]
) -> None:
    stub.script = [says("post"), trouble, trouble]
    made = study(hosted(stub), ledger)
    assert only(made).status == "finished"
    assert set(made.episodes().status) == {"ok"}
    assert [(c["t"], c["status"]) for c in calls(made)] == [(0, "ok"), (1, "error"), (1, "error"), (1, "ok"), (2, "ok")]
    assert len(stub.asked) == 5
    assert len(no_pauses) == 2


def test_a_server_is_asked_again_when_it_said_so(stub: Stub, ledger: Ledger, no_pauses: list[float]) -> None:
    stub.script = [fails(429, Retry_After="0.01"), fails(503, Retry_After="7")]
    finish(study(hosted(stub), ledger))
    assert no_pauses == [0.01, 7.0]


REFUSALS = [fails(401), fails(402)]


@pytest.mark.parametrize("trouble", [fails(429), fails(500), sends(b"{"), *REFUSALS])
def test_after_the_last_attempt_the_run_waits_and_goes_on_to_the_same_end(tmp_path: Path, trouble: Any) -> None:
    good, bad = Stub(), Stub([says("post")], then=trouble)
    with serving(good) as good.address, serving(bad) as bad.address:
        whole = only(study(hosted(good), Ledger(tmp_path / "whole")))
        made = study(hosted(bad, retries=1), Ledger(tmp_path / "cut"))
        cut, attempts = only(made), len(bad.asked)
        assert (cut.status, cut.episodes) == ("suspended", 1)
        assert "could not be reached" in cut.error
        bad.then = says("post")
        again = only(made)
    assert (again.status, again.replayed) == ("finished", 1)
    assert attempts in (2, 3)  # the first task's, and one or (where that may help) two for the second
    assert (attempts == 2) == (trouble in REFUSALS)
    assert again.hash == whole.hash
    assert again.run == whole.run  # where the server is, how often is tried: no part of the identity


@pytest.mark.parametrize(
    "trouble",
    [
        hangs,
        drips(b""),
        drips(b"HTTP/1.1 200 OK\r\nX: "),
        drips(b'HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{"choices": '),
    ],
    ids=["silent", "no head", "slow head", "slow body"],
)
def test_the_time_limit_is_for_the_whole_call(stub: Stub, ledger: Ledger, trouble: Any) -> None:
    stub.script = [says("post"), trouble]
    made = study(hosted(stub, retries=0, timeout=0.5), ledger)
    record = only(made)
    assert (record.status, record.episodes) == ("suspended", 1)
    assert "no whole answer within 0.5 s" in record.error
    assert only(made).status == "finished"


def test_a_connection_that_breaks_is_trouble(stub: Stub, ledger: Ledger) -> None:
    def torn(handler: Handler, body: dict[str, Any]) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")

    stub.script = [torn]
    made = study(hosted(stub, retries=0), ledger, tasks=1)
    assert only(made).status == "suspended"
    assert only(made).status == "finished"


def test_an_error_drags_nothing_along(stub: Stub) -> None:
    from dspy.lm15 import Message, Request, TransportError

    def torn(handler: Handler, body: dict[str, Any]) -> None:
        handler.close_connection = True

    stub.then = torn
    lm = hosted(stub)
    with pytest.raises(TransportError) as found:
        lm.engine(Errands()).complete(Request(model=lm.name, messages=(Message.user("x"),)))
    assert found.value.__cause__ is found.value.__context__ is None


def test_a_long_pause_is_an_outage_at_once(stub: Stub, ledger: Ledger) -> None:
    stub.script = [fails(429, Retry_After="86400")]
    record = only(study(hosted(stub), ledger))
    assert record.status == "suspended"
    assert "asks to wait 86400 s" in record.error
    assert len(stub.asked) == 1


def test_a_request_that_is_refused_fails_loudly(stub: Stub, ledger: Ledger) -> None:
    stub.then = fails(400, "no such parameter: top_k")
    record = only(study(hosted(stub), ledger))
    assert record.status == "failed"
    assert "no such parameter: top_k" in record.error
    assert len(stub.asked) == 1


def test_too_long_a_prompt_is_the_arms_failure(stub: Stub, ledger: Ledger) -> None:
    error = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    stub.script = [lambda handler, body: handler.send(400, error)]
    assert list(finish(study(hosted(stub), ledger)).episodes().status) == ["overflow", "ok", "ok"]


# Answers


@pytest.mark.parametrize("adapter", ["turns", "chat"])
@pytest.mark.parametrize(("end", "status"), [("length", "truncated"), ("stop", "unparsed")])
def test_an_answer_that_is_all_reasoning_is_the_arms_failure(
    stub: Stub, ledger: Ledger, adapter: str, end: str, status: str
) -> None:
    spent = {"completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 90}}
    stub.then = says(None, end, usage=spent)
    made = finish(study(hosted(stub, adapter=adapter), ledger, tasks=1))
    [row] = made.episodes().to_dict("records")
    assert (row["status"], row["score"]) == (status, 0)
    assert (row["acting_output_tokens"], row["acting_reasoning_tokens"]) == (90, 90)
    assert made.compare().row("static").failed == 1


def test_an_answer_cut_short_that_still_parses_is_truncated(stub: Stub, ledger: Ledger) -> None:
    stub.then = says("post", "length")
    made = finish(study(hosted(stub), ledger, tasks=2))
    assert set(made.episodes().status) == {"truncated"}
    row = made.compare().row("static")
    assert row.failed == 0
    assert "2 answers truncated" in row.doubts


def test_thinking_that_is_shown_is_no_part_of_the_answer(stub: Stub, ledger: Ledger) -> None:
    body = completion("bank")
    body["choices"][0]["message"]["reasoning_content"] = "Is it the post? No."
    stub.then = lambda handler, asked: handler.send(200, body)
    made = finish(study(hosted(stub), ledger, tasks=1))
    assert list(made.episodes().answer) == ["bank"]
    assert calls(made)[0]["answer"] == "bank"


def test_half_a_character_breaks_no_prompt_and_no_row(stub: Stub, ledger: Ledger) -> None:
    stub.then = says("bread \ud83d")  # what is left of a character when an answer is cut off within it
    stream = table([{"q": f"question {n}", "a": "x"} for n in range(3)], inputs="q", answer="a")
    arm = Arm("m", memory=FullContext())
    made = Study("half", stream, arms=[arm], lm=hosted(stub), seeds=1, ledger=ledger, channel=NoFeedback())
    assert only(made).status == "finished"
    assert [call["answer"] for call in calls(made)] == ["bread \ufffd"] * 3
    assert "bread \ufffd" in json.dumps(stub.asked[2], ensure_ascii=False)  # it remembers its own answers


def test_what_a_call_costs_and_who_answered_is_on_the_tape(stub: Stub, ledger: Ledger) -> None:
    spent = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}
    stub.then = says("post", usage=spent, system_fingerprint="fp_1")
    made = study(hosted(stub, dollars_in=2.0, dollars_out=10.0), ledger, tasks=1)
    record = only(made)
    [call] = calls(made)
    tokens = [call[f"{name}_tokens"] for name in ("input", "output", "reused", "reasoning")]
    assert tokens == [11, 3, 4, 2]
    assert call["dollars"] == pytest.approx((11 * 2 + 3 * 10) / 1e6)
    assert call["server"] == "stub-1 fp_1"
    assert record.servers == ("stub-1 fp_1",)
    assert "provider_data" not in json.loads(call["response"])


def test_a_model_that_is_changed_on_the_way_is_doubted(stub: Stub, ledger: Ledger) -> None:
    stub.script = [says("post", system_fingerprint="fp_1")]
    stub.then = says("post", system_fingerprint="fp_2")
    made = finish(study(hosted(stub), ledger))
    assert "2 versions of the model answered: stub-1 fp_1, stub-1 fp_2" in made.compare().row("static").doubts


def test_anthropics_counts_are_turned_into_ours_and_a_lost_seed_is_told(stub: Stub, ledger: Ledger) -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 2,
        "output_tokens": 4,
    }
    body = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-stub",
        "content": [{"type": "text", "text": "post"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    stub.then = lambda handler, asked: handler.send(200, body)
    made = study(hosted(stub, "anthropic/claude-stub", temperature=0.5), ledger, seeds=2)
    for record in made.run():
        assert (record.status, record.adapted) == ("finished", ("seed dropped",)), record.error
    call = calls(made)[0]
    assert [call[f"{name}_tokens"] for name in ("input", "output", "reused")] == [17, 4, 5]
    assert list(call["adapted"]) == ["seed dropped"]
    assert call["server"] == "claude-stub"
    assert "the provider did not do as asked: seed dropped" in made.compare().row("static").doubts


def test_temperature_0_that_is_dropped_is_not_called_0(stub: Stub, ledger: Ledger, monkeypatch: Any) -> None:
    from dspy.lm15 import Adaptation

    note = Adaptation("config.temperature", "dropped", "this model has none", asked=0.0)
    monkeypatch.setattr(hosted_engine, "_unwrapped", lambda response, _: replace(response, adaptations=(note,)))
    shown = str(finish(study(hosted(stub), ledger)).compare())
    assert "draws nothing" not in shown
    assert "Temperature 0 was asked for but not used" in shown


def test_a_served_model_is_not_said_to_draw_nothing(stub: Stub, ledger: Ledger) -> None:
    shown = str(finish(study(hosted(stub), ledger)).compare())
    assert "a served model may also answer the same request in more than one way" in shown


def test_ollama_is_found_where_it_is_and_costs_nothing(stub: Stub, ledger: Ledger) -> None:
    lm = Hosted("ollama_chat/llama3:8b", api_base=stub.address.removesuffix("/v1"), max_tokens=9)
    made = finish(study(lm, ledger, tasks=1))
    assert stub.paths == ["/v1/chat/completions"]
    assert (stub.asked[0]["model"], stub.asked[0]["max_tokens"]) == ("llama3:8b", 9)
    assert made.compare().row("static").dollars == 0


def test_a_provider_that_dspy_has_no_client_for_goes_through_litellm(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    stub.script = [fails(429, f"key {KEY}")]
    made = study(hosted(stub, "lm_studio/stub", key_env="STUB_KEY", options={"top_k": 3}), ledger, tasks=1)
    finish(made)
    assert [c["status"] for c in calls(made)] == ["error", "ok"]
    assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert stub.asked[0]["top_k"] == 3
    assert calls(made)[1]["server"]
    assert_absent(KEY, ledger)


def test_what_litellm_says_of_a_refused_request_holds_no_key(
    stub: Stub, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    stub.then = fails(400, f"you sent {KEY}")
    made = study(hosted(stub, "lm_studio/stub", key_env="STUB_KEY"), ledger, tasks=1)
    assert only(made).status == "failed"
    assert list(made.folder.rglob("error.txt"))  # with the traceback and whatever hangs on it
    assert_absent(KEY, ledger)


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


def assert_absent(key: str, ledger: Ledger) -> None:
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert key.encode() not in path.read_bytes(), path
        assert key[:14].encode() not in path.read_bytes(), path


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
