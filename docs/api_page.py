"""Write what lists the names of the package: its API page, its stub, and the analyses of the architecture."""

from __future__ import annotations

import inspect
import re
from itertools import groupby

import outcomes
from outcomes.analyses import list_analyses, read_analysis

LEAD = """\
What `import outcomes` offers, by room. `make site` builds a page for each name from its docstring: shapes,
units, errors, how missing data are treated, and the source of a method."""
STUB_LEAD = """\
# Made by docs/generate.py from what each module offers, for type checkers and editors; at run time
# outcomes/__init__.py finds the same names in the folders of analyses and views."""
#: Comments of docs/architecture.md between which the table of analyses stands.
BEGIN, END = "<!-- analyses: made by docs/generate.py from their docstrings -->", "<!-- end of analyses -->"


def write_api_page(notice: str) -> str:
    """Return the list of public names; in the built site each leads to its own page."""
    parts = [notice, "# What `outcomes` offers", LEAD]
    names = sorted(set(outcomes.__all__) - {"__version__"}, key=_find_room)
    for room, offered in groupby(names, key=_find_room):
        listed = "\n".join(f"   {name}" for name in sorted(offered))
        table = f".. currentmodule:: outcomes\n\n.. autosummary::\n   :toctree: api\n\n{listed}"
        parts += [f"## `{room}`", f"```{{eval-rst}}\n{table}\n```"]
    return "\n\n".join(parts) + "\n"


def write_stub() -> str:
    """Return the stub of ``outcomes``: each public name with the module that defines it."""
    names = sorted(set(outcomes.__all__) - {"__version__"}, key=lambda name: (_find_module(name), name))
    imports = "\n".join(f"from {_find_module(name)} import {name} as {name}" for name in names)
    return f"{STUB_LEAD}\n\n{imports}\n\n__version__: str\n__all__: list[str]\n"


def fill_architecture(page: str) -> str:
    """Return the description of the house with a row for each analysis that there is."""
    rows = ["| name | function | what it does |", "|---|---|---|"]
    for name in list_analyses():
        function = read_analysis(name)
        of = next(iter(inspect.signature(function).parameters))
        first = re.sub(r"\s+", " ", (inspect.getdoc(function) or "").split("\n\n")[0]).replace("``", "`")
        rows.append(f"| `{name}` | `{function.__name__}({of})` | {first} |")
    before, _, rest = page.partition(BEGIN)
    return "\n".join([f"{before}{BEGIN}", "", *rows, "", f"{END}{rest.partition(END)[2]}"])


def _find_module(name: str) -> str:
    """Return what a name is imported from: its room, but of rooms that are a registry the module."""
    module, room = str(getattr(outcomes, name).__module__), _find_room(name)
    return module if room in ("analyses", "views") else f"outcomes.{room}"


def _find_room(name: str) -> str:
    return str(getattr(outcomes, name).__module__).split(".")[1]
