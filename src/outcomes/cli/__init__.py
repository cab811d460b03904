"""The command line: `outcomes check`, `draft`, `template`, `report`, `analyse`, `instruments`, ...

Only here are the package's errors caught: a user's mistake is one message and an exit code, never a
traceback. Nothing heavy is imported until a command needs it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from outcomes.cli.commands import app
from outcomes.cli.screen import keep_traceback
from outcomes.errors import OutcomesError

__all__ = ["main"]

_BUG, _OUTPUT, _INTERRUPTED = 1, 9, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line with these arguments, else those of the process, and exit with its code.

    0 ok, 1 bug, 2 usage or configuration, 3 input unreadable or wrong, 4 privacy gate, 5 too many records
    refused, 6 analysis or notebook, 7 disclosure, 8 another run holds the lock, 9 output cannot be written,
    10 time limit, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding shows a question mark instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(args=None if arguments is None else list(arguments), prog_name="outcomes")
    except OutcomesError as error:
        sys.exit(_say(str(error), error.exit_code))
    except KeyboardInterrupt:
        sys.exit(_say("Interrupted; nothing further was written.", _INTERRUPTED))
    except OSError as error:
        place = Path(str(error.filename)).name if error.filename else "A file"
        sys.exit(_say(f"{place} cannot be read or written: {error.strerror}.", _OUTPUT))
    except Exception as error:
        sys.exit(_say(keep_traceback(error), _BUG))


def _say(message: str, exit_code: int) -> int:
    print(message, file=sys.stderr)
    return exit_code
