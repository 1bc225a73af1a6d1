"""Values that a column of the ledger may hold, by its type: whatever columns come, they are tried."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def values(dtype: str, words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Of DuckDB's types as far as the ledger has them; a struct's fields, and what a map holds, may be null."""
    plain: dict[str, st.SearchStrategy[Any]] = {
        "VARCHAR": words,
        "BIGINT": st.integers(-(2**63), 2**63 - 1),
        "DOUBLE": NUMBERS | st.integers(-(2**53), 2**53),
        "BOOLEAN": st.booleans(),
    }
    if dtype in plain:
        return plain[dtype]
    if dtype.endswith("[]"):
        return st.lists(values(dtype.removesuffix("[]"), words), max_size=2)
    kind, _, inner = dtype.removesuffix(")").partition("(")
    parts = inner.split(", ")
    if kind == "MAP":
        return st.dictionaries(words, st.none() | values(parts[1], words), max_size=3)
    fields = (part.partition(" ") for part in parts)
    return st.fixed_dictionaries({name: st.none() | values(field, words) for name, _, field in fields})


def rows(schema: dict[str, str], words: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A few rows of a schema, with columns left out."""
    columns = {name: st.none() | values(dtype, words) for name, dtype in schema.items()}
    return st.lists(st.fixed_dictionaries({}, optional=columns), max_size=4)
