"""Pages of random clinics, made by the notebooks themselves, with every text that they say noted down."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from outcomes.disclosure import Release
from outcomes.facts import Words
from outcomes.views import View

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
#: What is said while records are read stands on no page.
NO_PAGE = ("", "read_records")


@dataclass(frozen=True)
class Said:
    """A text that was said: its key, what filled its places, and where."""

    key: str
    values: dict[str, Any]
    text: str
    #: Name of the function that made the view, such as ``say_ends``; of the statement otherwise.
    by: str


@dataclass
class Page:
    """One page of one clinic for one audience."""

    clinic: Any
    notebook: str
    audience: str
    #: All names of the notebook after it ran: records, cohort, releases.
    names: dict[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    views: list[tuple[str, View]] = field(default_factory=list)
    #: Results by the analysis' name, as they were given to `release`: the numbers before it.
    results: dict[str, Any] = field(default_factory=dict)
    #: The edition before, for the same audience, and the day (ISO) of this one.
    earlier: Page | None = None
    day: str = ""
    #: The clinic of the release that the notebook is told was the last one.
    handed: Any = None

    @property
    def cohort(self) -> Any:
        return self.names["cohort"]

    @cached_property
    def intervals(self) -> list[np.ndarray]:
        """Estimate, both ends and patients of each row of each result, differences from both sides."""
        found = []
        for result in self.results.values():
            table = result.table
            n = table[["n", "n_versus"]].min(axis=1)
            rows = np.column_stack([table[["estimate", "conf_low", "conf_high"]], n])
            turned = rows[table["versus"].notna().to_numpy()][:, [0, 2, 1, 3]] * [-1, -1, -1, 1]
            found += [rows[~np.isnan(rows[:, 1])], turned[~np.isnan(turned[:, 1])]]
        return found

    def release_of(self, analysis: str) -> Release:
        """Return the release of an analysis that the page holds."""
        held = [value for value in self.names.values() if isinstance(value, Release)]
        return next(value for value in held if value.name == analysis)

    def view_of(self, function: str) -> View | None:
        """Return the view that a function made."""
        return next((view for by, view in self.views if by == function), None)


@contextlib.contextmanager
def note_said(said: list[Said], where: list[str]) -> Iterator[None]:
    """Note every text that the catalogue writes, with its values; what users run stays as it is."""
    say, quiet = Words.say, []

    def listen(words: Words, key: str, /, **values: object) -> str:
        text = say(words, key, **values)
        if where[-1] not in NO_PAGE and not quiet:
            quiet.append(True)  # what fills a place was noted when it was said
            written = {name: words.write(value) for name, value in values.items()}
            quiet.pop()
            said.append(Said(key, written, text, where[-1]))
        return text

    with mock.patch.object(Words, "say", listen):
        yield


def make_page(
    clinic: Any,
    source: Path,
    notebook: str,
    audience: str,
    last: tuple[Any, Any] = (None, None),
    **asked: Any,
) -> Page:
    """Run the cells of a notebook and note what is said while its views are made.

    `last` is the clinic of an earlier release and its snapshot, where the notebook shall know one.
    """
    page = Page(clinic, notebook, audience, handed=last[0])
    names = page.names
    where = [""]
    content = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    with note_said(page.said, where):
        for cell in cells:
            for statement in ast.parse("".join(cell["source"])).body:
                run_statement(statement, page, where)
                if last[1] is not None and "recall_release" in names:
                    names["recall_release"] = lambda: last[1]
            if "parameters" in cell["metadata"].get("tags", ()):
                names.update({"source": str(source), "audience": audience, **asked})
    return page


def run_statement(statement: ast.stmt, page: Page, where: list[str]) -> None:
    """Run one statement; a view that it shows is kept with the name of the function that made it."""
    value = getattr(statement, "value", None)
    where.append(value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else "")
    if not isinstance(statement, ast.Expr):
        exec(compile(ast.Module([statement], []), page.notebook, "exec"), page.names)
        keep_results(page)
        return
    shown = eval(compile(ast.Expression(value), page.notebook, "eval"), page.names)
    if isinstance(shown, View):
        page.views.append((where[-1], shown))


def keep_results(page: Page) -> None:
    """Have the notebook's `release` keep each result that it is given."""
    release = page.names.get("release")
    if release is None or hasattr(release, "kept"):
        return

    def keep(result: Any, asked: Any) -> Release:
        page.results[result.name] = result
        return release(result, asked)

    keep.kept = True
    page.names["release"] = keep
