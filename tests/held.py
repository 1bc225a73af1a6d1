"""A scripted model that stops answering when told to by the environment: what a killed study leaves behind."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from errands import Errands

from toolkit.agents.arm import Arm
from toolkit.evaluation.run import Control
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.traits.memory import Retrieval


class Held(Scripted):
    """Answers at once; where ``HELD_AFTER`` is set, says so after that many calls and answers no more.

    With ``HELD_UNTIL`` it goes on once a file of that name is there.
    """

    def engine(self, stream):
        engine, limit, seen = ScriptedEngine(self, list(stream.pairs())), int(os.environ.get("HELD_AFTER", 10**9)), []

        class Holding:
            supported_params = engine.supported_params

            def complete(self, request):
                seen.append(1)
                if len(seen) == limit + 1:
                    print("held", flush=True)
                    _wait(os.environ.get("HELD_UNTIL", ""))
                return engine.complete(request)

        return Holding()


class Patient(Scripted):
    """Lets no run go beyond its 120th call before the study, of which ``PATIENT`` is the folder, is told to stop."""

    def engine(self, stream):
        engine, control, seen = ScriptedEngine(self, list(stream.pairs())), Path(os.environ["PATIENT"]), []

        class Waiting:
            supported_params = engine.supported_params

            def complete(self, request):
                seen.append(1)
                if len(seen) == 121:
                    for _ in range(3000):  # 300 seconds at most, once
                        if Control(control / "control.json").read() == "stop":
                            break
                        threading.Event().wait(0.1)
                return engine.complete(request)

        return Waiting()


def _wait(path: str) -> None:
    while not (path and os.path.exists(path)):
        threading.Event().wait(0.01)


def study(ledger: object, name: str = "held") -> Study:
    """One run of 150 tasks with a memory and late feedback."""
    arms = [Arm("m", memory=Retrieval())]
    return Study(name, Errands(tasks=150, delay=3), arms=arms, lm=Held(), seeds=[0], ledger=ledger, reuse=False)


if __name__ == "__main__":
    study(sys.argv[1]).run()
