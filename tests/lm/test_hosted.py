"""Models over HTTP, against a server that misbehaves: nothing is lost, nothing is invented, no key is written."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from errands import Errands, finish
from serving import (
    KEY,
    Handler,
    Stub,
    assert_absent,
    calls,
    completion,
    drips,
    fails,
    hangs,
    hosted,
    only,
    says,
    sends,
    serving,
    study,
)

from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm import hosted_engine
from toolkit.lm.hosted import Hosted
from toolkit.streams.channel import NoFeedback
from toolkit.streams.table import table
from toolkit.traits.memory import FullContext

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
    together = threading.Barrier(12, timeout=300)

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
