"""What happens within a forked child: papermill runs the notebook in this very process."""

import contextlib
import errno
import json
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from papermill.engines import Engine, papermill_engines

from outcomes.reports.engine.processes import die_with_parent
from outcomes.reports.engine.shell import build_shell

if TYPE_CHECKING:
    from papermill.engines import NotebookExecutionManager

_NAME = "outcomes-in-process"
# exit codes of the child; a cell that fails is no failure of the child
_FAILED, _CANNOT_WRITE = 1, 9
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS})


class InProcessEngine(Engine):
    """A papermill engine without a kernel: cells run in a shell of this process."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: "NotebookExecutionManager",
        kernel_name: str,
        seed: int,
        on_cell: Callable[[int], None],
        **kw: Any,
    ) -> None:
        """Run the code cells in a fresh shell, filling in their outputs; stop at the first that fails."""
        shell = build_shell()
        random.seed(seed)
        np.random.seed(seed)
        for index, cell in enumerate(nb_man.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            if "skip-execution" in cell.metadata.get("tags", ()):
                continue
            nb_man.cell_start(cell, index)
            on_cell(index)
            cell.outputs, error = shell.run(cell.source)
            cell.execution_count = shell.execution_count - 1
            if error is not None:
                nb_man.cell_exception(cell, index, exception=error)
                break
            nb_man.cell_complete(cell, index)


# in code, not by an entry point: papermill would import this module while it is being imported itself
papermill_engines.register(_NAME, InProcessEngine)


def run_task(task: Mapping[str, Any], reported: int) -> None:
    """Run a task in this forked process and end it; ``reported`` is a pipe to the warm parent.

    The pipe gets a line for each cell that begins, and one when everything is written.
    """
    code = _FAILED
    try:
        _settle(task)
        _run_papermill(task, reported)
        os.write(reported, b'{"done": true}\n')
        code = 0
    except OSError as error:
        code = _CANNOT_WRITE if error.errno in _FULL else _FAILED
        _keep_traceback()
    except Exception:
        _keep_traceback()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _keep_traceback() -> None:
    """Write the traceback to the run's private log; a full disk must not hide what happened."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def _settle(task: Mapping[str, Any]) -> None:
    """Make this process its own: group, folder, environment, outputs."""
    os.setpgid(0, 0)
    die_with_parent()
    os.umask(0o077)
    os.chdir(task["working_folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    nowhere = os.open(os.devnull, os.O_RDONLY)
    log = os.open(Path(task["folder"]) / "kernel.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for handle, target in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(handle, target)


def _run_papermill(task: Mapping[str, Any], reported: int) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    def on_cell(index: int) -> None:
        os.write(reported, json.dumps({"cell": index}).encode() + b"\n")

    with contextlib.suppress(PapermillExecutionError):  # the executed notebook holds the failure
        papermill.execute_notebook(
            task["notebook"],
            task["executed"],
            parameters=json.loads(task["values"]),
            engine_name=_NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            seed=task["seed"],
            on_cell=on_cell,
        )
