"""A scripted model that kills the process it runs in: what a worker's death leaves behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from errands import Errands

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.traits.memory import Retrieval


class Mortal(Scripted):
    """Notes in the folder ``MORTAL`` which process asked it.

    Where a file ``kill`` stands there, the process of the run that takes the file away dies at its 10th call; where
    ``plague`` stands there, every process does that it comes to.
    """

    def __setstate__(self, state):
        self.__dict__ |= state
        if Path(os.environ["MORTAL"], "plague").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def engine(self, stream):
        engine, folder, seen = ScriptedEngine(self, list(stream.pairs())), Path(os.environ["MORTAL"]), []

        class Dying:
            supported_params = engine.supported_params

            def complete(self, request):
                seen.append(1)
                (folder / f"pid-{os.getpid()}").touch()
                if len(seen) == 10 and _taken(folder / "kill"):
                    os.kill(os.getpid(), signal.SIGKILL)
                return engine.complete(request)

        return Dying()


def _taken(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def study(ledger: object, **rest: object) -> Study:
    """Four runs, of which two have a memory."""
    arms = [Arm.static_call(), Arm("m", memory=Retrieval())]
    stream = Errands(tasks=24, delay=2, sessions=False)
    return Study("mortal", stream, arms=arms, lm=Mortal(), seeds=2, ledger=ledger, **rest)


def plagued(ledger: object, **rest: object) -> Study:
    """Two runs, of which one kills what carries it out."""
    arms = [Arm.static_call(), Arm("m", memory=Retrieval(), lm=Mortal())]
    return Study("plagued", Errands(tasks=8), arms=arms, lm=Scripted(), seeds=1, ledger=ledger, **rest)
