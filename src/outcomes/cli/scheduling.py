"""`outcomes schedule`: what to paste so that a scheduler calls `outcomes run --due`."""

import shlex
import sys
from importlib import resources
from pathlib import Path

#: Schedulers for which there is a snippet, a template of the folder ``schedulers``.
SCHEDULERS = ("cron", "systemd", "windows", "airflow")


def write_snippet(scheduler: str) -> str:
    """Return a snippet for a scheduler (see `SCHEDULERS`) that runs what is due here every hour.

    Calling more often does no harm: what is not due is not made, and nothing is made twice.
    """
    from jinja2 import Environment, StrictUndefined  # takes longer to load than most commands run

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters |= {"quote": shlex.quote, "repr": repr}
    place = resources.files("outcomes.cli").joinpath("schedulers", f"{scheduler}.jinja")
    template = environment.from_string(place.read_text(encoding="utf-8"))
    return template.render(folder=str(Path.cwd()), program=str(Path(sys.executable).parent / "outcomes"))
