"""A user's own Python files: imported under names of their own, the same in whatever process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from toolkit.errors import SpecError


def import_code(files: Iterable[Path]) -> None:
    """Import files as ``study_code_<stem>``; what they define registers itself.

    Raises
    ------
    SpecError
        If there is no such file, or it cannot be imported.
    """
    for file in files:
        name = f"study_code_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None or not file.exists():
            raise SpecError([f"{file}: there is no such Python file; it is named under [study] code"])
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # so that classes find their source
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise SpecError([f"{file}: cannot be imported: {type(error).__name__}: {error}"]) from error
