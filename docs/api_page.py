"""Write the page of `docs/` that lists what `import outcomes` offers, by room."""

from __future__ import annotations

from itertools import groupby

import outcomes

LEAD = """\
What `import outcomes` offers, by room. `make site` builds a page for each name from its docstring: shapes,
units, errors, how missing data are treated, and the source of a method."""


def write_api_page(notice: str) -> str:
    """Return the list of public names; in the built site each leads to its own page."""
    parts = [notice, "# What `outcomes` offers", LEAD]
    names = sorted(set(outcomes.__all__) - {"__version__"}, key=_find_room)
    for room, offered in groupby(names, key=_find_room):
        listed = "\n".join(f"   {name}" for name in sorted(offered))
        table = f".. currentmodule:: outcomes\n\n.. autosummary::\n   :toctree: api\n\n{listed}"
        parts += [f"## `{room}`", f"```{{eval-rst}}\n{table}\n```"]
    return "\n\n".join(parts) + "\n"


def _find_room(name: str) -> str:
    return str(getattr(outcomes, name).__module__).split(".")[1]
