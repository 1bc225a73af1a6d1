"""Result files of other tools, written here in their documented shape, read back into what was put in."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit.errors import SpecError


def lines(path: Path, rows: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lm_eval(folder: Path, model: str, task: str, scores: Sequence[object], time: str = "00", **more: object) -> Path:
    rows = [
        {"doc_id": n, "doc": {}, "target": "x", "resps": [[]], "filter": "none", "metrics": ["acc"], "acc": score}
        | {"doc_hash": f"hash{n}", "prompt_hash": "p", "target_hash": "t"}
        | more
        for n, score in enumerate(scores)
    ]
    return lines(folder / model / f"samples_{task}_2026-01-02T03-04-{time}.123456.jsonl", rows)


def samples(model: str = "m", eval_id: str = "e1", **columns: object) -> pd.DataFrame:
    """As `samples_df(columns=SampleSummary + EvalModel)` has them."""
    return pd.DataFrame(
        {"eval_id": eval_id, "sample_id": ["u1", "u2", "u3"], "id": ["1", "2", "3"], "epoch": 1, "model": model}
        | {"score_match": ["C", "I", "P"], "total_tokens": [10, 20, 30], "error": ""}
        | columns
    )


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    plain = frame[["arm", "task", "order", "score"]].astype({"order": object})
    return plain.where(plain.notna(), None).values.tolist()


def test_lm_eval_samples(tmp_path: Path) -> None:
    lm_eval(tmp_path, "base", "arc", [0.0, 1.0, 0.0])
    lm_eval(tmp_path, "tuned", "arc", [1.0, 1.0, 0.0])
    frame = tk.read_results(tmp_path)
    assert cells(frame)[:2] == [["base", "arc/0", "0", 0.0], ["base", "arc/1", "0", 1.0]]
    assert list(frame.columns) == ["arm", "task", "order", "score", "stream"]
    assert tk.compare(frame, baseline="base").row("tuned").difference.value == pytest.approx(1 / 3)


def test_lm_eval_runs_and_named_arms(tmp_path: Path) -> None:
    first, again = lm_eval(tmp_path, "m", "arc", [0, 1]), lm_eval(tmp_path, "m", "arc", [1, 1], "09")
    frame = tk.read_results({"mine": [first, again]})
    assert [row[0] for row in cells(frame)] == ["mine"] * 4
    assert list(frame["order"]) == ["0", "0", "1", "1"]


def test_lm_eval_metric_and_filter(tmp_path: Path) -> None:
    rows = [
        {"doc_id": n, "doc_hash": "h", "filter": kind, "metrics": ["exact_match", "f1"], "exact_match": hit, "f1": 0.5}
        for n in range(2)
        for kind, hit in (("strict-match", 0), ("flexible-extract", 1))
    ]
    path = lines(tmp_path / "m" / "samples_gsm8k_2026-01-02T03-04-05.1.jsonl", rows)
    assert list(tk.read_results(path, metric="exact_match,flexible-extract").score) == [1, 1]
    assert list(tk.read_results(path, metric="exact_match,strict-match").score) == [0, 0]
    for metric, told in {
        "": "say which: metric='exact_match,strict-match'",
        "exact_match": "several filters (strict-match, flexible-extract)",
        "exact_match,strict": "did you mean 'strict-match'",
        "f2,strict-match": "no metric 'f2'; known: exact_match, f1",
        ",strict-match": "several metrics (exact_match, f1); say which",
    }.items():
        with pytest.raises(SpecError) as caught:
            tk.read_results(path, metric=metric)
        assert told in str(caught.value)


def test_lm_eval_versions_of_a_task_are_not_mixed(tmp_path: Path) -> None:
    lm_eval(tmp_path, "a", "arc", [0, 1])
    lm_eval(tmp_path, "b", "arc", [0, 1], doc_hash="other")
    with pytest.raises(SpecError, match=r"b/samples_arc.* line 1: arc/0 is another document than at .*a/samples_arc"):
        tk.read_results(tmp_path)


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet", "nullable"])
def test_inspect_samples_df(kind: str, tmp_path: Path) -> None:
    both = pd.concat([samples("base"), samples("new", "e2", score_match=["C", "C", None])], ignore_index=True)
    given: Any = both
    if kind == "csv":
        both.to_csv(given := tmp_path / "samples.csv", index=False)
    elif kind == "parquet":
        both.to_parquet(given := tmp_path / "samples.parquet")
    elif kind == "nullable":
        given = both.convert_dtypes(dtype_backend="pyarrow")
    frame = tk.read_results(given)
    assert cells(frame)[:5] == [
        ["base", "1", "0", 1.0],
        ["base", "2", "0", 0.0],
        ["base", "3", "0", 0.5],
        ["new", "1", "0", 1.0],
        ["new", "2", "0", 1.0],
    ]
    assert math.isnan(frame.score[5])
    assert list(frame.tokens[:3]) == [10, 20, 30]
    row = tk.compare(frame, baseline="base").row("new")
    assert (row.difference.n, row.failed, row.model) == (2, 1, "new")


def test_inspect_epochs_and_evals_are_runs() -> None:
    parts = [samples("m", e, epoch=n, task_name="gpqa") for e in ("e1", "e2") for n in (1, 2)]
    frame = tk.read_results(pd.concat(parts))
    assert list(frame["order"].unique()) == ["0", "1", "2", "3"]
    assert frame.task[0] == "gpqa/1"
    assert list(frame.stream.unique()) == ["gpqa"]


def test_inspect_logs_in_json(tmp_path: Path) -> None:
    def log(model: str, first: str) -> dict[str, object]:
        scored = [
            {"id": 1, "epoch": 1, "scores": {"match": {"value": first}}, "model_usage": {model: {"total_tokens": 7}}}
        ]
        failed = [{"id": 2, "epoch": 1, "scores": None, "error": {"message": "boom"}}]
        about = {"eval_id": model, "task": "gpqa", "model": model}
        return {"version": 2, "status": "success", "eval": about, "samples": scored + failed}

    for model, first in (("a", "C"), ("b", "I")):
        (tmp_path / f"{model}.json").write_text(json.dumps(log(model, first)))
    frame = tk.read_results(tmp_path)
    assert cells(frame)[0] == ["a", "gpqa/1", "0", 1.0]
    assert [math.isnan(score) for score in frame.score] == [False, True, False, True]
    assert frame.tokens[0] == 7


def test_inspect_scorers_are_named_where_there_are_several() -> None:
    both = samples(score_f1=[0.5, 0.5, 1.0], score_match_answer="x")
    assert list(tk.read_results(both, metric="f1").score) == [0.5, 0.5, 1]
    with pytest.raises(SpecError, match=r"row 0: several scorers \(match, f1\); say which: metric='match'"):
        tk.read_results(both)
    with pytest.raises(SpecError, match="did you mean 'match'"):
        tk.read_results(both, metric="mach")
    with pytest.raises(SpecError, match="row 1: score_match is 'so so'"):
        tk.read_results(samples(score_match=["C", "so so", "C"]))


def bench(folder: Path, name: str, answers: Sequence[str], **more: object) -> Path:
    rows = [
        {
            "num_inference_call": 1,
            "num_input_tokens": 5,
            "num_output_tokens": 2,
            "output_pred": text,
            "label_text": label,
        }
        | {key: values[n] for key, values in more.items()}  # type: ignore[index]
        for n, (text, label) in enumerate(zip(answers, "abc", strict=True))
    ]
    return lines(folder / f"{name}.jsonl", rows)


def test_stream_bench_logs_need_a_score_and_take_a_function(tmp_path: Path) -> None:
    bench(tmp_path, "zeroshot__openai__gpt__seed-42", ["a", "b", "c"])
    bench(tmp_path, "self_stream_icl__openai__gpt__seed-42", ["a", "x", "x"])
    with pytest.raises(SpecError, match=r"line 1: there is no score .*lambda line"):
        tk.read_results(tmp_path)
    frame = tk.read_results(tmp_path, metric=lambda line: line["output_pred"] == line["label_text"])
    assert cells(frame)[:3] == [
        ["self_stream_icl__openai__gpt", "0", "42", 1.0],
        ["self_stream_icl__openai__gpt", "1", "42", 0.0],
        ["self_stream_icl__openai__gpt", "2", "42", 0.0],
    ]
    assert set(frame.tokens) == {7}
    found = tk.compare(frame, baseline="zeroshot__openai__gpt")
    assert found.row("self_stream_icl__openai__gpt").difference.value == pytest.approx(-2 / 3)
    with pytest.raises(SpecError, match="the function metric failed: KeyError"):
        tk.read_results(tmp_path, metric=lambda line: line["nothing"])


def test_stream_bench_positions_are_no_tasks_across_orders(tmp_path: Path) -> None:
    for seed in (1, 2):
        bench(tmp_path, f"zeroshot__seed-{seed}", ["a", "b", "c"], is_correct=[True, False, True])
    with pytest.raises(SpecError, match="another task in each order; give every line a task_id"):
        tk.read_results(tmp_path)
    for seed in (1, 2):
        bench(tmp_path, f"zeroshot__seed-{seed}", ["a", "b", "c"], is_correct=[True, False, True], task_id=[7, 8, 9])
    assert cells(tk.read_results(tmp_path))[3:5] == [["zeroshot", "7", "2", 1.0], ["zeroshot", "8", "2", 0.0]]


def test_stream_bench_a_dropped_step_is_noticed(tmp_path: Path) -> None:
    bench(tmp_path, "one", ["a", "b", "c"], is_correct=[1, 1, 1])
    path = bench(tmp_path, "two", ["a", "b", "c"], is_correct=[1, 1, 1])
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(
        SpecError, match=r"two.jsonl line 1: task '0' has another label_text than at .*one.jsonl line 1"
    ):
        tk.read_results(tmp_path)


def artefact(path: Path, runs: int = 3) -> Path:
    def trace(bonus: float) -> dict[str, object]:
        found = [{"instance_id": f"q{n}", "instance_index": n, "reward": n + bonus, "cost_usd": 0.1} for n in range(4)]
        return {"result": {"instance_outcomes": found}}

    whole = {"summary": {"task": {"name": "poker"}}, "baseline_trace": trace(0)}
    whole["run_traces"] = [{"run_index": n, "trace": trace(1 + n / 10)} for n in range(runs)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(whole).encode()))
    return path


def test_continual_learning_bench_artefacts(tmp_path: Path) -> None:
    frame = tk.read_results(artefact(tmp_path / "icl-gpt" / "tasks" / "poker.json.gz"))
    assert cells(frame)[0] == ["icl-gpt stateless", "poker/q0", None, 0.0]
    assert cells(frame)[-1] == ["icl-gpt", "poker/q3", "2", 4.2]
    row = tk.compare(frame, baseline="icl-gpt stateless").row("icl-gpt")
    assert row.difference.value == pytest.approx(1.1)
    assert (row.difference.n, row.difference.runs, row.dollars) == (12, 3, pytest.approx(0.1))
    assert any("ran once" in doubt for doubt in row.doubts)


def test_continual_learning_bench_outcomes_and_graded_lines(tmp_path: Path) -> None:
    rows = [{"instance_id": "q1", "instance_index": 0, "reward": 0.5, "run_index": 1, "system": "icl", "model": "g"}]
    frame = tk.read_results(lines(tmp_path / "outcomes.jsonl", rows))
    assert frame.values.tolist() == [["icl", "q1", "1", 0.5, "g"]]
    graded = [
        {"idx": 3, "rubrics": [], "metadata": {"task_id": "t-3"}, "score": 1},
        {"idx": 4, "rubrics": [], "score": 0},
    ]
    frame = tk.read_results(lines(tmp_path / "gpt_graded.jsonl", graded))
    assert cells(frame) == [["gpt", "t-3", None, 1.0], ["gpt", "4", None, 0.0]]


def test_mistakes_name_file_and_line(tmp_path: Path) -> None:
    path = lm_eval(tmp_path, "m", "arc", [0, 1, 0])
    path.write_text(path.read_text().replace('"doc_id": 1', '"doc_id" 1') + "[1]\n")
    with pytest.raises(SpecError) as caught:
        tk.read_results(path)
    assert [f"{path} line {n}:" in mistake for n, mistake in zip((2, 4), caught.value.mistakes, strict=True)] == [
        True
    ] * 2


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.jsonl", '{"foo": 1}', "line 1: no known format has the fields foo"),
        ("x.jsonl", "", "no lines"),
        ("x.jsonl", '{"doc_id": 1, "metrics": ["acc"], "acc": [1, 2]}', "line 1: acc must be a number"),
        ("x.jsonl", '{"doc_id": null, "metrics": ["acc"], "acc": 1}', "line 1: the task is not named"),
        ("x.jsonl", b"\xff\xfe", "must be UTF-8 but byte 0"),
        ("x.json", "{", "no JSON"),
        ("x.json", "[1]", "must hold objects"),
        ("x.json.gz", "no gzip", "cannot be read"),
        ("x.json", '{"version": 2, "eval": {}, "samples": []}', "the log has no samples"),
        ("x.json", '{"run_traces": 3}', "run_traces must be a list of objects"),
        ("x.eval", "PK", "inspect log dump x.eval"),
        ("x.txt", "", "must end in .jsonl"),
        ("x.parquet", "no parquet", "cannot be read"),
    ],
)
def test_unreadable_files(name: str, content: str | bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SpecError) as caught:
        tk.read_results(path)
    assert told in str(caught.value)


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    for given, told in ((tmp_path / "no", "there is no file"), (tmp_path, "holds no .jsonl"), (3, "not from 3")):
        with pytest.raises(SpecError, match=told):
            tk.read_results(given)
    with pytest.raises(SpecError, match="did you mean 'inspect'"):
        tk.read_results(samples(), "inpsect")
