"""Write what is made from facts and code: pages on instruments, records and the gate, lists of names.

Run `python docs/generate.py` after changing facts; `--check` changes nothing and fails where a page is old.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from api_page import fill_architecture, write_api_page, write_stub
from gate_page import write_gate_page

from outcomes.facts import (
    Column,
    ExcludeSpec,
    FileSpec,
    ScoreSpec,
    Source,
    Therapy,
    Timepoint,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.facts.instrument_sheet import list_instrument_rows, tabulate_rows, write_instrument_sheet

FOLDER = Path(__file__).parent
NOTEBOOKS = FOLDER.parent / "notebooks"
NOTEBOOK_WORDS = FOLDER.parent / "src/outcomes/facts/words/en/notebooks.toml"
STUB = FOLDER.parent / "src/outcomes/__init__.pyi"
NOTEBOOK_NOTICE = (
    "# Made by docs/generate.py from the Markdown cells of notebooks/, by their ids; change these."
)
NOTICE = "<!-- Made by docs/generate.py from the package's facts; changes belong there. -->"

INDEX_LEAD = """\
The outcome measures that the package knows, by what they measure. Each has a sheet with its range, scoring,
thresholds and where they come from; `outcomes instruments ID` prints the same."""
INDEX_END = """\
To add one, write a file in `src/outcomes/facts/instruments/`; its worked examples are its tests. Facts that
were not checked against a public source are marked so on the sheets. As a whole unchecked: {unchecked}."""
RECORDS_LEAD = """\
A source of records is described by one TOML file. What the program reads becomes four tables, and only
columns that the source maps are ever read. No column is needed but those marked required; codes of the file's
own are translated by the source (`codes`). Spellings are compared without case, blanks, hyphens and
underscores. What may identify people is refused; [the gate](gate.md) says what, and how a person may
vouch for an exception."""
THERAPIES_LEAD = """\
Therapies of one group are taken together on a page for stakeholders where fewer than k patients of one
of them were seen; `other` groups nothing. A source may declare another `group` for any therapy, its own
included."""
PROFILES_LEAD = """\
By which rules pages for stakeholders are made: a source names one (`disclosure_profile`), and every
page names it with its k, the smallest number of patients behind a number. A report may raise k, or
lower it as far as its profile allows. What else holds is the same in all: counts to multiples of 5,
percentages in steps that fit the group, zeros and full cells only in large groups, nothing that follows
from its neighbours."""
PROFILES_END = """\
`safe_harbor` is about what a page says, `privacy_profile` about what may be read at all; a clinic may
read dates and publish by Safe Harbor. Of the eighteen identifiers of 45 CFR 164.514(b)(2), pages could
hold dates of care and ages over 89: periods of a trend are then whole years, and ages leave as means
only. The period in a page's heading, the days by which a report is cut, and an age in its filters are
the report's own words and stay as declared. The schema has no place of living; sites go by the names
that the source gives them, so give aliases where a name would tell a place of fewer than 20,000 people.
Actual knowledge that a page could identify someone is for the clinic to judge."""
TABLES = {
    "episodes": "One row per episode of care: one patient, one problem, one plan. Columns marked as "
    "covariates are known at time zero and may adjust a comparison.",
    "assessments": "One row per episode, day (or declared label of a time point), instrument and variant.",
    "sessions": "One row per session.",
    "events": "One row per event.",
}
TYPES = {
    "id": "pseudonym",
    "category": "category",
    "number": "number",
    "integer": "whole number",
    "date": "date",
    "flag": "yes or no",
}
BLOCKS = {
    Source: ("At the top of the file", ("files", "folder")),
    FileSpec: ("`[[file]]`: one file, or several of one form", ("scores", "exclude")),
    ScoreSpec: ("`[[file.scores]]`: where one score stands", ()),
    ExcludeSpec: ("`[[file.exclude]]`: which records are excluded, and why", ()),
    Timepoint: ("`[timepoints.ID]`: a time point of the source's own", ("id",)),
    Therapy: ("`[therapies.ID]`: a therapy of the source's own", ("id",)),
}
#: What a source's own therapy is taken to be where it says nothing.
DEFAULTS = {
    Therapy: {
        "label": "the id",
        "short_label": "the label",
        "group": "`other`",
        "colour": "the next of the palette",
        "marker": "the next of the palette",
        "order": "after the others",
    }
}
#: How the page calls what a field of a source may be, by its annotation without ``None``.
KEY_TYPES = {
    "str": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "int | tuple[int, ...]": "whole number or list of them",
    "tuple[str, ...]": "list of texts",
    "tuple[Mapping[str, Any], ...]": "list of tables",
    "tuple[AbsenceSpec, ...]": "tuple of AbsenceSpec",
    "tuple[RowsSpec, ...]": "tuple of RowsSpec",
    "Mapping[str, Mapping[str, str]]": "table of tables",
}


def main() -> int:
    """Write or check all generated pages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page is old")
    check = parser.parse_args().check
    pages = make_pages()
    old = [path for path, text in pages.items() if read_page(path) != text]
    left_over = sorted(set((FOLDER / "instruments").glob("*.md")) - set(pages))
    if check:
        for path in (*old, *left_over):
            print(f"{path.relative_to(FOLDER.parent)} is old: run python docs/generate.py")
        return 1 if old or left_over else 0
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8", newline="\n")
    for path in left_over:
        path.unlink()
    print(f"{len(old)} of {len(pages)} pages written, {len(left_over)} removed")
    return 0


def read_page(path: Path) -> str | None:
    """Return what stands in a page now; None where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def make_pages() -> Mapping[Path, str]:
    """Return the text of every generated page by its path."""
    folder = FOLDER / "instruments"
    pages = {folder / f"{id}.md": f"{NOTICE}\n\n{write_instrument_sheet(id)}" for id in list_instruments()}
    return {
        **pages,
        folder / "README.md": write_index_page(),
        FOLDER / "records.md": write_records_page(),
        FOLDER / "gate.md": write_gate_page(NOTICE),
        FOLDER / "api.md": write_api_page(NOTICE),
        FOLDER / "architecture.md": fill_architecture(read_page(FOLDER / "architecture.md") or ""),
        NOTEBOOK_WORDS: write_notebook_words(),
        STUB: write_stub(),
    }


def write_notebook_words() -> str:
    """Return the English prose of the reports' notebooks as a file of the catalogue of words."""
    lines = [NOTEBOOK_NOTICE]
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any("parameters" in cell["metadata"].get("tags", ()) for cell in cells):
            prose = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"}
            lines += ["", f"[{path.stem}]"]
            lines += [f"{id} = {json.dumps(text, ensure_ascii=False)}" for id, text in prose.items()]
    return "\n".join([*lines, ""])


def write_index_page() -> str:
    """Return the list of instruments by domain, each linked to its sheet."""
    parts = [NOTICE, "# Instruments", INDEX_LEAD]
    shown = ("range", "direction", "threshold")
    for domain, rows in groupby(list_instrument_rows(), key=lambda row: row["domain"]):
        table = [
            (f"[{row['name']}]({row['id']}.md)", f"`{row['id']}`", *(row[key] for key in shown))
            for row in rows
        ]
        header = "instrument | id | range | direction | default threshold for one person"
        parts += [f"## {domain.capitalize()}", tabulate_rows(header, table)]
    unchecked = [read_instrument(id).name for id in list_instruments() if not read_instrument(id).verified]
    parts.append(INDEX_END.format(unchecked=", ".join(unchecked) or "none"))
    return "\n\n".join(parts) + "\n"


def write_records_page() -> str:
    """Return the page on the tables of records and on the keys of a source TOML."""
    title = "# What records may hold, and how a source describes its files"
    parts = [NOTICE, title, RECORDS_LEAD, "## The tables"]
    for table, columns in read_schema().items():
        rows = [describe_column(column) for column in columns.values()]
        header = "column | type | meaning | allowed"
        parts += [f"### `{table}`", TABLES[table], tabulate_rows(header, rows)]
    parts += ["## Therapies", THERAPIES_LEAD, tabulate_therapies(), "## Time points", tabulate_timepoints()]
    parts += ["## Disclosure profiles", PROFILES_LEAD, tabulate_profiles(), PROFILES_END]
    parts += ["## The keys of a source TOML", "Unknown keys are errors that name the nearest key."]
    for kind, (title, nested) in BLOCKS.items():
        parts += [f"### {title}", *describe_keys(kind, nested)]
    return "\n\n".join(parts) + "\n"


def describe_column(column: Column) -> tuple[str, str, str, str]:
    """Return the row of one column of a table of records."""
    kind = TYPES[column.type] + (f", {column.unit}" if column.unit else "")
    marks = {"Required": column.required, "Covariate": column.covariate}
    meaning = column.meaning + "".join(f" *{mark}.*" for mark, holds in marks.items() if holds)
    return f"`{column.name}`", kind, meaning, "; ".join(list_allowed(column))


def list_allowed(column: Column) -> Iterator[str]:
    """Yield what a column may hold, in words."""
    if column.allowed:
        yield ", ".join(f"`{code}`" for code in column.allowed)
    if column.minimum is not None and column.maximum is not None:
        yield f"{column.minimum:g} to {column.maximum:g}"
    if column.aliases:
        told = [f"{alias} = `{code}`" for alias, code in column.aliases.items()]
        yield f"also {', '.join(told)}"


def tabulate_therapies() -> str:
    """Return the table of therapies with their other spellings."""
    rows = [
        (
            f"`{entry.id}`", entry.label, f"`{entry.group}`", (entry.labels or {}).get("zh-Hant", ""),
            ", ".join(entry.aliases),
        )
        for entry in read_therapies().values()
    ]  # fmt: skip
    return tabulate_rows("id | therapy | group | in Traditional Chinese | also recognised as", rows)


def tabulate_profiles() -> str:
    """Return the table of disclosure profiles with what their sources ask for."""
    rows = [
        (
            f"`{id}`",
            str(entry["k"]),
            str(entry["lowest_k"]),
            f"{entry['source'][0].upper()}{entry['source'][1:]}.",
        )
        for id, entry in read_facts("disclosure")["profiles"].items()
    ]
    return tabulate_rows("`disclosure_profile` | k | lowest k of a report | what its source asks for", rows)


def tabulate_timepoints() -> str:
    """Return the table of standard time points with their windows."""
    rows = []
    for entry in read_timepoints().values():
        window = (
            f"day {entry.first_day} to {entry.last_day}" if entry.first_day is not None else "by label only"
        )
        rows.append((f"`{entry.id}`", entry.label, window, "yes" if entry.comparable else "described only"))
    return tabulate_rows("id | time point | window | compared between therapies", rows)


def describe_keys(kind: type, hidden: tuple[str, ...]) -> Iterator[str]:
    """Yield what a part of a source TOML is for, where its docstring says so, and the table of its keys."""
    more = (inspect.getdoc(kind) or "").split("\n\n")[1:]
    yield from (clean_markup(text) for text in more if text.strip())
    meanings = read_fields(kind)
    defaults = DEFAULTS.get(kind, {})
    rows = [
        (f"`{entry.name}`", defaults.get(entry.name) or describe_default(entry), *meanings[entry.name])
        for entry in dataclasses.fields(kind)
        if entry.name not in hidden
    ]
    yield tabulate_rows("key | without it | type | meaning", rows)


def read_fields(kind: type) -> dict[str, tuple[str, str]]:
    """Return type and meaning of each field of a dataclass, from its annotation and the ``#:`` above it."""
    found: dict[str, tuple[str, str]] = {}
    meaning: list[str] = []
    continued = False
    for line in inspect.getsource(kind).splitlines():
        told = re.match(r"^    #: (.+)$", line)
        named = re.match(r"^    (\w+): ([^=]+?)( = .*)?$", line)
        if told:
            meaning = [*meaning, told[1]] if continued else [told[1]]
        elif named:  # a field without a comment of its own shares that of the one before
            type_name = named[2].removesuffix(" | None")
            kept = KEY_TYPES.get(type_name, "table" if type_name.startswith("Mapping") else type_name)
            found[named[1]] = (kept, clean_markup(" ".join(meaning)))
        continued = told is not None
    return found


def clean_markup(text: str) -> str:
    """Return the Markdown of a docstring's text."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def describe_default(entry: dataclasses.Field) -> str:
    """Return what a key is taken to be where a source does not give it."""
    if entry.default is dataclasses.MISSING:
        return "**needed**" if entry.default_factory is dataclasses.MISSING else "none"
    if entry.default in (None, "", ()):
        return "none"
    if isinstance(entry.default, bool):
        return f"`{str(entry.default).lower()}`"
    return f"`{list(entry.default) if isinstance(entry.default, tuple) else entry.default}`"


if __name__ == "__main__":
    sys.exit(main())
