"""The embedded weights behind llama.cpp's own HTTP server: real answers over a real protocol, equal to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.errors import ToolkitError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm import llama_server, tape, weights
from toolkit.lm.embedded import Embedded
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import Model
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval

KEY = "sk-planted-for-llama-0123456789"
ARMS = (Arm.static(), Arm("memory", memory=Retrieval(k=2)))


@dataclass
class Serving:
    """A running server; the library stops it when it is let go."""

    library: Any
    address: str


@pytest.fixture(scope="module")
def llama() -> Serving:
    try:
        file = weights.fetch("smollm2-135m")
    except ToolkitError as error:
        pytest.skip(f"the embedded weights cannot be had: {error}")
    library = llama_server._start(file, 4096, 2, KEY, None)
    return Serving(library, f"{library.listening_address}/v1")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_TEST_KEY", KEY)


def hosted(llama: Serving, **how: Any) -> Hosted:
    plain = {"api_base": llama.address, "key_env": "LLAMA_TEST_KEY", "max_tokens": 12, "retries": 0}
    return Hosted("openai/smollm2-135m", **{**plain, "options": {"cache_prompt": False}, **how})


def desk(lm: Model, ledger: Ledger, tasks: int = 5, **how: Any) -> Study:
    tape._memos.clear()  # the model itself must answer
    arms = how.pop("arms", ARMS)
    return Study("desk", Desk(tasks=tasks, queues=6), arms=arms, lm=lm, seeds=1, ledger=ledger, **how)


class Brief(Embedded):
    """With the other one's limit of an answer."""

    max_tokens = 12


def told(made: Study) -> list[dict[str, Any]]:
    query = (
        "SELECT arm, c.t, c.answer, c.status, prompt, input_tokens, output_tokens FROM calls c "
        "JOIN (SELECT DISTINCT run, arm FROM runs) USING (run) ORDER BY arm, c.t"
    )
    return [{**row, "prompt": list(row["prompt"])} for row in made.ledger.sql(query).to_dict("records")]


def test_a_study_gives_the_same_answers_embedded_and_over_http(llama: Serving, ledger: Ledger) -> None:
    over_http = finish(desk(hosted(llama), Ledger(ledger.root / "http"), deciding="generation"))
    embedded = finish(desk(Brief(adapter="turns"), Ledger(ledger.root / "embedded"), deciding="generation"))
    assert told(over_http) == told(embedded)
    assert len(told(embedded)) == 10
    rows = [made.episodes()[["arm", "t", "answer", "status", "score"]] for made in (over_http, embedded)]
    assert rows[0].equals(rows[1])
    assert (rows[0].status == "ok").any()  # a model that only rambled would prove little


def test_what_it_says_of_itself_and_costs(llama: Serving, ledger: Ledger) -> None:
    made = desk(hosted(llama), ledger, tasks=2, deciding="generation", arms=[Arm.static()])
    [record] = made.run()
    [server] = record.servers
    assert server.startswith("SmolLM2-135M")  # without the folder it was opened from
    row = made.compare().row("static")
    assert row.dollars == 0
    assert row.seconds > 0
    assert KEY.encode() not in b"".join(path.read_bytes() for path in ledger.root.rglob("*") if path.is_file())


def test_a_grammar_holds_a_real_model_to_the_options(llama: Serving, ledger: Ledger) -> None:
    made = finish(desk(hosted(llama, max_tokens=40), ledger, tasks=6, deciding="grammar", arms=[Arm.static()]))
    rows = made.episodes()
    assert set(rows.status) == {"ok"}
    assert set(rows.answer) <= set(made.stream.pairs()[0][0].options)


def test_an_answer_that_is_cut_short_is_truncated(llama: Serving, ledger: Ledger) -> None:
    lm = hosted(llama, max_tokens=1)
    made = finish(desk(lm, ledger, tasks=2, deciding="generation", arms=[Arm.static()]))
    assert set(made.ledger.sql("SELECT status FROM calls").status) == {"truncated"}
    assert set(made.episodes().status) == {"truncated"}


def test_a_wrong_key_suspends_and_the_right_one_goes_on(
    llama: Serving, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk(hosted(llama), ledger, tasks=2, deciding="generation", arms=[Arm.static()])
    monkeypatch.setenv("LLAMA_TEST_KEY", "sk-not-the-right-one-01234")
    assert [record.status for record in made.run()] == ["suspended"]
    monkeypatch.setenv("LLAMA_TEST_KEY", KEY)
    assert [record.status for record in made.run()] == ["finished"]


def test_samples_differ_and_repeat(llama: Serving, ledger: Ledger) -> None:
    lm = hosted(llama, temperature=1.5)
    found = []
    for name in ("a", "b"):
        made = finish(desk(lm, Ledger(ledger.root / name), tasks=4, deciding="generation", arms=[Arm.static()]))
        found.append([row["answer"] for row in told(made)])
    assert found[0] == found[1]  # this server keeps to a seed
    assert len(set(found[0])) > 1
