"""The lens: what DuckDB is told about a ledger's files, so that logs and Parquet read as the same views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.ledger.rows import RATING, RUN, SCHEMAS

RUNS = "*/*/runs/*"
"""Where runs' folders are below a ledger: studies' own, and the empty ones that hold the schemas."""


def quoted(path: Path | str) -> str:
    """A path as it may stand between single quotes in SQL."""
    return str(path).replace("'", "''")


def _lines(patterns: list[str]) -> str:
    listed = ", ".join(f"'{quoted(pattern)}'" for pattern in patterns)
    options = (
        "header=false, auto_detect=false, delim='\x01', quote='', escape='', filename=true, max_line_size=67108864"
    )
    return f"read_csv([{listed}], columns={{'line': 'VARCHAR'}}, {options})"


_STUDY = "string_split(filename, '/')[-4] AS study"  # .../<study>/runs/<run>/<file>


def from_lines(patterns: list[str], schema: dict[str, str], where: str = "true", also: str = "") -> str:
    """A query of the rows of JSON lines, in the columns of a schema; lines that are no JSON are left out."""
    structure = json.dumps({name: _structure(dtype) for name, dtype in schema.items()}).replace("'", "''")
    columns = ", ".join(f'row."{name}" AS "{name}"' for name in schema)
    # CASE: DuckDB may put a query's own conditions before json_valid(line), and a damaged line would then raise.
    row = f"json_transform(CASE WHEN json_valid(line) THEN line END, '{structure}') AS row"
    inner = f"SELECT {row}{also and f', {also}'} FROM {_lines(patterns)} WHERE json_valid(line) AND {where}"
    return f"SELECT {columns}{', study' * bool(also)} FROM ({inner})"


def _structure(dtype: str) -> Any:
    """A column's type in the notation of ``json_transform``, which spells structs and lists as JSON."""
    if dtype.endswith("[]"):
        return [_structure(dtype.removesuffix("[]"))]
    if not dtype.startswith("STRUCT("):
        return dtype
    parts = (part.partition(" ") for part in dtype.removeprefix("STRUCT(").removesuffix(")").split(", "))
    return {name: _structure(kind) for name, _, kind in parts}


def views(root: Path) -> Iterator[str]:
    """The statements that make a ledger's views."""
    for name, schema in SCHEMAS.items():
        shards, logs = f"{root}/{RUNS}/{name}.parquet", f"{root}/{RUNS}/{name}.jsonl"
        columns = ", ".join(f'"{column}"' for column in schema)
        finished = f"SELECT parse_dirpath(file) FROM glob('{quoted(shards)}')"
        live = from_lines([logs], schema, f"parse_dirpath(filename) NOT IN ({finished})", _STUDY)
        kept = f"SELECT {columns}, {_STUDY} FROM read_parquet('{quoted(shards)}', union_by_name=true, filename=true)"
        yield f"CREATE VIEW {name} AS {kept} UNION ALL {live}"
    yield f"CREATE VIEW ratings AS {_ratings(root)}"
    files = f"read_parquet('{quoted(f'{root}/{RUNS}/rescored.parquet')}', union_by_name=true, filename=true)"
    yield f"CREATE VIEW rescored AS SELECT * EXCLUDE (filename), {_STUDY} FROM {files}"
    yield f"CREATE VIEW runs AS {from_lines([f'{root}/{RUNS}/run.json'], RUN)}"
    yield (
        "CREATE VIEW studies AS SELECT study, count(*) AS runs, "
        "count(*) FILTER (status = 'finished') AS finished, count(DISTINCT arm) AS arms, "
        "count(DISTINCT seed) AS seeds, coalesce(any_value(n), 0) AS episodes, any_value(model) AS model, "
        "bool_or(scripted) AS scripted "
        "FROM runs LEFT JOIN (SELECT study, count(*) AS n FROM episodes GROUP BY study) USING (study) GROUP BY study"
    )
    yield (
        "CREATE VIEW turns AS SELECT study, run, arm, seed, phase, t, task, generate_subscripts(turns, 1) - 1 AS turn, "
        "unnest(turns, recursive := true) FROM episodes"
    )
    yield (
        "CREATE VIEW moves AS SELECT study, run, arm, seed, phase, t, task, generate_subscripts(moves, 1) - 1 AS turn, "
        "unnest(moves, recursive := true) FROM episodes WHERE len(moves) > 0"
    )
    yield (
        "CREATE VIEW memories AS SELECT study, run, arm, seed, phase, t, task, unnest(recalled) AS recalled "
        "FROM turns WHERE len(recalled) > 0"
    )
    yield (
        "CREATE VIEW changes AS SELECT study, run, arm, seed, phase, t, unnest(changes, recursive := true) "
        "FROM episodes WHERE len(changes) > 0"
    )
    yield (
        f"CREATE VIEW damage AS SELECT filename, count(*) AS lines FROM (SELECT filename, line, "
        f"row_number() OVER (PARTITION BY filename) AS n, count(*) OVER (PARTITION BY filename) AS total "
        f"FROM {_lines([f'{root}/{RUNS}/*.jsonl'])}) WHERE NOT json_valid(line) AND n < total GROUP BY filename"
    )


def _ratings(root: Path) -> str:
    """What people's ratings stand at: of each item the last thing that a rater did, if it was not undone."""
    lines = from_lines([f"{root}/*/*/rated/*/*.jsonl"], RATING, also=_STUDY)
    each = "row_number() OVER (PARTITION BY study, queue, rater, item ORDER BY n DESC)"
    return (
        "SELECT study, queue, rater, item, said, rated, first, said_at, unnest(places, recursive := true) "
        f"FROM (SELECT * FROM ({lines}) QUALIFY {each} = 1) WHERE did = 'rated'"
    )
