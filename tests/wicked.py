"""Texts that would like to be more than data, and streams of nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import toolkit as tk
from toolkit.streams.stream import Pair, Stream

EVIL = "<script>alert(1)</script> <img src=x onerror=alert(1)> \" ' \x1b[31m \u202e"

CELL = """
import json
from pathlib import Path

import toolkit as tk

EVIL = json.loads(Path("evil.json").read_text())


class WickedNotes(tk.Stream):
    step = tk.Step("say", "Say it.", ("note",), "reply")

    def load(self):
        notes = [(f"{EVIL}{n}", {"note": f"{n} {EVIL}"}) for n in range(4)]
        return [(tk.Task(name, inputs, time=n), tk.Key((EVIL,))) for n, (name, inputs) in enumerate(notes)]


role = tk.Role(EVIL, EVIL, instructions=EVIL * 20)
arms = [tk.Arm.static(), tk.Arm("m", memory=tk.Retrieval(k=2), role=role)]
study = tk.Study("evil", WickedNotes(), arms=arms, lm="scripted", seeds=2, counterfactuals=1.0, tracking="off", **where)
_ = study.run()
"""
"""The first cell of a notebook beside a file ``evil.json``; ``where`` says where the ledger is."""


class WickedErrands(Stream):
    """Four tasks of which every text is `EVIL`."""

    step = tk.Step("say", "Say it.", ("note",), "reply")

    def load(self) -> Sequence[Pair]:
        return [(tk.Task(f"{EVIL}{n}", {"note": f"{n} {EVIL}"}, user=EVIL, time=n), tk.Key((EVIL,))) for n in range(4)]
