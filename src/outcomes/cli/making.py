"""`outcomes report`: one page for each instrument and audience that was asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outcomes.cli.screen import note, print_json, print_table, say, shorten_place, shows_progress
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
    """Make the pages one after the other, and return 0 or the highest exit code of those that failed."""
    schema = read_parameters(read_notebook(find_notebook(name)))
    made, noted, exit_code = [], set[str](), 0
    for choice in wanted:
        parameters = parse_texts(schema, {**pairs, **choice})
        try:
            place: dict[str, Any] = {"source": source, "path": path, "out": out}
            report = run_report(name, parameters, **place, engine=engine, show_progress=shows_progress())
        except OutcomesError as error:
            note(f"Not made ({', '.join(choice.values()) or name}): {error}")
            exit_code = max(exit_code, error.exit_code)
            continue
        page = shorten_place(report.page, Path.cwd())
        made.append({**choice, "audience": report.audience, "page": page})
        if not as_json:
            say(page)
        note(*(text for text in report.notes if text not in noted))
        noted.update(report.notes)
    if as_json:
        print_json(made)
    return exit_code
