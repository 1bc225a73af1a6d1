"""A study at work in a thread of this process, so that a notebook's kernel stays free."""

from __future__ import annotations

import threading
from collections.abc import Callable

from toolkit.evaluation.unchanged import StudyChanged
from toolkit.ledger.alone import StudyBusy


class Background:
    """At most one piece of work at a time, begun here and waited for here.

    Parameters
    ----------
    name
        Of the study, for messages.

    Examples
    --------
    >>> background = Background("desk")
    >>> background.begin(lambda begun: begun())
    >>> background.wait(), background.running, background.error
    (True, False, None)
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None

    def begin(self, work: Callable[[Callable[[], None]], object]) -> None:
        """Begin; returns once ``work`` has called the function it is given, or has ended.

        Raises
        ------
        StudyBusy
            If work is under way, here or, as the work itself found, in another process.
        StudyChanged
            If the work found so before it began.
        """
        if self.running:
            raise StudyBusy(f"study {self._name!r} is already running here: stop() it first")
        self.error, begun = None, threading.Event()

        def carry_out() -> None:
            try:
                work(begun.set)
            except BaseException as error:  # noqa: BLE001  (handed to whoever waits)
                self.error = error
            finally:
                begun.set()

        self._thread = threading.Thread(target=carry_out, name=f"study-{self._name}", daemon=True)
        self._thread.start()
        begun.wait()  # a stop() that follows at once must not be overtaken by the start
        if isinstance(self.error, StudyBusy | StudyChanged):
            self._thread.join()
            raise self.error

    @property
    def running(self) -> bool:
        """Whether work is under way."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end, if anything was begun; raises nothing."""
        if self._thread is not None:
            self._thread.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for so many seconds at most; True if it has ended. Raises what the work raised."""
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        if self.error is not None:
            raise self.error
        return True
