"""A line that says what is being done, on long work at a terminal."""

import sys
from types import TracebackType


class Progress:
    """Shows one step at a time on the terminal's error stream; silent where there is none."""

    def __init__(self, show: bool) -> None:
        self._status = None
        if show and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")

    def __enter__(self) -> "Progress":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, step: str) -> None:
        """Show the step that begins."""
        if self._status is not None:
            self._status.update(step)
