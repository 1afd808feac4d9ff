"""Ctrl-C and SIGTERM: noted at once, acted on between two blocks, so that the run can be saved first."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal and saved; the message says where, and how to go on.

    Attributes:
        signal: the number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.signal = number

    def __reduce__(self) -> Any:
        """Let the exception come out of other processes, with its notes."""
        return type(self), (str(self), self.signal), self.__dict__


class Interrupts:
    """A context in which a first SIGINT or SIGTERM is only noted, and a second one acts as it did before.

    Outside the main thread signals are left alone, because Python does not let them be handled there.
    """

    def __init__(self) -> None:
        self.noted: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.noted = number
        self.__exit__()
