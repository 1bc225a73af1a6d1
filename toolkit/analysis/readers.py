"""Result files of other tools, read into the frame that `compare` takes."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.analysis import formats
from toolkit.analysis.formats import Line, Metric, Row
from toolkit.errors import SpecError, nearest

if TYPE_CHECKING:
    import pandas as pd

FORMATS: dict[str, Callable[[Sequence[Line], Metric], list[Row]]] = {
    "inspect": formats.inspect,
    "lm-eval": formats.lm_eval,
    "streambench": formats.stream_bench,
    "cl-bench": formats.cl_bench,
}
_COLUMNS = ("arm", "task", "order", "score", "stream", "model", "tokens", "dollars")
_SHOWN = 20  # mistakes of one file that are worth reading


def read_results(source: object, format: str = "", *, metric: Metric = "") -> pd.DataFrame:
    """Results of other tools as a frame for `toolkit.compare`: a row per arm, run and task.

    Parameters
    ----------
    source
        The path of a file or of a folder (all its ``.jsonl`` files, or else its ``.json`` and ``.json.gz`` ones), a
        list of paths, or ``{arm: path or paths}`` to name the arms. Inspect's ``samples_df`` may be given as it is, or
        saved as .csv or .parquet.
    format
        One of the below; empty = told by the fields of the first line.

        ``inspect``
            The frame of ``samples_df`` [1]_ (``id``, ``epoch``, ``eval_id``, ``score_*``, ``total_tokens``; ``model``
            and ``task_name`` where ``EvalModel`` and ``EvalTask`` were asked for), or logs in Inspect's JSON format.
            The arm is the model; epochs and repeated evals are runs. C, I, P and N are 1, 0, .5 and 0; a sample
            that ended in an error has no score: missing.
        ``lm-eval``
            ``samples_<task>_<time>.jsonl`` of ``--log_samples`` [2]_ (``doc_id``, ``doc_hash``, ``filter``,
            ``metrics``). The arm is the folder, which is called after the model; several files of one task in it are
            runs.
        ``streambench``
            The line per time step that StreamBench's agents log [3]_ (``output_pred``, ``label_text``,
            ``num_input_tokens``, ``num_output_tokens``). These logs hold no score: give a ``metric``, unless lines
            have ``is_correct``, ``correct`` or ``score``. Tasks are told apart by ``task_id``, ``id``, ``idx`` or
            ``question``, else by ``time_step`` or the line's number; the seed in the file's name is the run.
        ``cl-bench``
            Of Continual Learning Bench [4]_ the artefacts (``run_traces``, ``baseline_trace``, ``instance_outcomes``;
            .json or .json.gz), or its outcomes line by line (``instance_id``, ``reward``); the stateless pass becomes
            the arm ``<name> stateless``, which ran once. Of CL-bench [5]_ the graded lines (``idx`` or
            ``metadata.task_id``, ``score``).
    metric
        Which score, where lines hold several: the name of a field (of lm-eval also ``"exact_match,strict-match"``:
        metric and filter; of Inspect the scorer), or, for lines of JSON, a function of the line that returns a number.

    Returns
    -------
    pandas.DataFrame
        Columns ``arm``, ``task``, ``order``, ``score`` and what else is known of ``stream``, ``model``, ``tokens``
        (per task) and ``dollars``. ``order`` tells the runs of an arm apart; missing = it ran once, without an order.

    Raises
    ------
    SpecError
        Naming file and line of every mistake, and the way out.

    References
    ----------
    .. [1] Inspect, "Log Dataframes" (https://inspect.aisi.org.uk/dataframe.html), and
       UKGovernmentBEIS/inspect_ai, ``analysis/_dataframe/samples/columns.py``.
    .. [2] EleutherAI/lm-evaluation-harness, ``lm_eval/evaluator.py`` and ``loggers/evaluation_tracker.py``.
    .. [3] stream-bench/stream-bench, ``stream_bench/agents/base.py`` and ``pipelines/run_bench.py``.
    .. [4] pgasawa/continual-learning-bench, ``src/interface.py`` and ``scripts/analyze_final_results.py``.
    .. [5] Tencent-Hunyuan/CL-bench, ``eval.py``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "graded.jsonl")
    ...     _ = path.write_text('{"idx": "a", "rubrics": [], "score": 1}\\n{"idx": "b", "rubrics": [], "score": 0}')
    ...     read_results({"mine": path})[["arm", "task", "score"]].values.tolist()
    [['mine', 'a', 1.0], ['mine', 'b', 0.0]]
    """
    import pandas as pd

    if format and format not in FORMATS:
        raise SpecError([f"there is no format {format!r}; {nearest(format, FORMATS)}"])
    if isinstance(source, pd.DataFrame):
        lines = list(_records(source, "", "", 0))
    else:
        lines = [line for arm, path in _paths(source) for line in _lines(path, arm)]
    if not lines:
        raise SpecError(["there are no lines; is the file empty?"])
    rows = FORMATS[format or _format(lines[0])](lines, metric)
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    return frame.drop(columns=[name for name in _COLUMNS[4:] if frame[name].isna().all()])


def _paths(source: object) -> Iterator[tuple[str, Path]]:
    """Every file, with the arm that it was given for."""
    if isinstance(source, Mapping):
        for arm, part in source.items():
            yield from ((str(arm), path) for _, path in _paths(part))
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            inside = sorted(path.rglob("*.jsonl")) or sorted([*path.rglob("*.json"), *path.rglob("*.json.gz")])
            if not inside:
                raise SpecError([f"the folder {path} holds no .jsonl, .json or .json.gz file"])
            yield from (("", one) for one in inside)
        elif path.is_file():
            yield "", path
        else:
            raise SpecError([f"there is no file {path}; relative paths begin at {Path.cwd()}"])
    elif isinstance(source, Sequence) and source:
        for part in source:
            yield from _paths(part)
    else:
        raise SpecError([f"results are read from a path, a list of paths or {{arm: path}}, not from {source!r:.80}"])


def _lines(path: Path, arm: str) -> Iterator[Line]:
    """What a file holds, object by object."""
    if path.suffix == ".eval":
        raise SpecError(
            [f"{path} is Inspect's own format: give samples_df(...), or 'inspect log dump {path.name}' as .json"]
        )
    if path.suffix in (".csv", ".parquet"):
        yield from _table(path, arm)
    elif path.suffix == ".jsonl":
        yield from _json_lines(path, arm)
    elif path.suffix == ".json" or path.name.endswith(".json.gz"):
        text = _text(path)
        try:
            found = json.loads(text)
        except ValueError as error:
            raise SpecError([f"{path}: no JSON ({error}); write the file anew"]) from None
        for n, one in enumerate(found if isinstance(found, list) else [found], start=1):
            if not isinstance(one, dict):
                raise SpecError([f"{path}: must hold objects but holds {one!r:.60}"])
            yield Line(f"{path}", str(path), n, arm, one)
    else:
        raise SpecError([f"{path} must end in .jsonl, .json, .json.gz, .csv or .parquet"])


def _json_lines(path: Path, arm: str) -> Iterator[Line]:
    mistakes: list[str] = []
    for n, text in enumerate(_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        place = f"{path} line {n}"
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            mistakes.append(f"{place}: no JSON ({error}); mend the line or take it out")
            found = {}
        if not isinstance(found, dict):
            mistakes.append(f"{place}: must be an object but is {found!r:.60}")
        elif not mistakes:
            yield Line(place, str(path), n, arm, found)
        if len(mistakes) == _SHOWN:
            break
    if mistakes:
        raise SpecError(mistakes)


def _table(path: Path, arm: str) -> Iterator[Line]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"id": str})
    except (ValueError, OSError) as error:
        raise SpecError([f"{path} cannot be read: {error}"]) from error
    yield from _records(frame, str(path), arm, 2 if path.suffix == ".csv" else 0)


def _records(frame: pd.DataFrame, file: str, arm: str, first: int) -> Iterator[Line]:
    plain = frame.astype(object).where(frame.notna(), None)
    for n, row in enumerate(plain.to_dict("records"), start=first):
        yield Line(f"{file} row {n}".strip(), file, n, arm, {str(name): value for name, value in row.items()})


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError([f"{path} must be UTF-8 but byte {error.start} is not; convert it"]) from None
    except (OSError, EOFError) as error:
        raise SpecError([f"{path} cannot be read: {error}"]) from error


def _format(line: Line) -> str:
    """Which format a line is of, by the fields that only it has."""
    row: Mapping[str, Any] = line.row
    marks = {
        "inspect": "eval_id" in row or ("eval" in row and "version" in row),
        "lm-eval": "doc_id" in row,
        "streambench": "label_text" in row or "output_pred" in row,
        "cl-bench": "run_traces" in row or "instance_id" in row or "rubrics" in row,
    }
    for name, marked in marks.items():
        if marked:
            return name
    shown = ", ".join(map(str, list(row)[:8]))
    raise SpecError(
        [
            f"{line.place}: no known format has the fields {shown}; name it (format= {', '.join(FORMATS)}), or give "
            "a frame of your own to toolkit.compare(frame, arm=..., task=..., score=...)"
        ]
    )
