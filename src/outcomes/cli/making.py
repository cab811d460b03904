"""`outcomes report`: one page for each instrument and audience that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from outcomes.cli.screen import note, print_json, print_table, say, shows_progress
from outcomes.errors import OutcomesError
from outcomes.reports import describe_parameters, find_notebook, parse_texts, read_parameters, run_report
from outcomes.reports.notebook_file import read_notebook


def print_parameters(name: str) -> None:
    """Print what a report takes: each parameter with its kind, its default and its meaning."""
    schema = read_parameters(read_notebook(find_notebook(name)))
    say(f"outcomes report {name} [-p parameter=value ...] [--source NAME] [--path PLACE] [--out FOLDER]", "")
    print_table(describe_parameters(schema), ["parameter", "takes", "default", "meaning"])
    say("", "--instrument, --audience and --source set the parameter of the same name; lists: a,b,c.")


def make_pages(
    name: str,
    wanted: Sequence[Mapping[str, str]],
    pairs: Mapping[str, str],
    source: str,
    path: Path | None,
    out: Path,
    engine: str,
    as_json: bool,
) -> int:
    """Make the pages one after the other; a page that fails does not keep the others from being made.

    Parameters
    ----------
    name : str
        Name of the report.
    wanted : sequence of mappings
        Instrument, variant and audience of each page, what was not typed absent.
    pairs : mapping
        Further parameters, as typed.
    source, path, out, engine, as_json
        As on the command line.

    Returns
    -------
    int
        0, or the highest exit code of the pages that failed.
    """
    schema = read_parameters(read_notebook(find_notebook(name)))
    made, noted, exit_code = [], set[str](), 0
    for choice in wanted:
        parameters = parse_texts(schema, {**pairs, **choice})
        try:
            report = run_report(
                name, parameters, source=source, path=path, out=out, engine=engine,
                show_progress=shows_progress(),
            )  # fmt: skip
        except OutcomesError as error:
            note(f"Not made ({', '.join(choice.values()) or name}): {error}")
            exit_code = max(exit_code, error.exit_code)
            continue
        page = _shorten(report.page)
        made.append({**choice, "audience": report.audience, "page": page})
        if not as_json:
            say(page)
        note(*(text for text in report.notes if text not in noted))
        noted.update(report.notes)
    if as_json:
        print_json(made)
    return exit_code


def _shorten(page: Path) -> str:
    """Return the place of a page from here, where it lies below."""
    here = Path.cwd()
    return (page.relative_to(here) if page.is_relative_to(here) else page).as_posix()
