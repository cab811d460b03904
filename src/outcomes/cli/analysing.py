"""`outcomes analyse`: one analysis' rows with its method, its states and the flow of episodes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outcomes.analyses import count_flow, run_analysis
from outcomes.cli.screen import note, print_csv, print_json, print_table, say, shows_progress
from outcomes.cohort import select_cohort
from outcomes.disclosure import AUDIENCES, Release, release
from outcomes.errors import DisclosureError
from outcomes.facts import read_words
from outcomes.records import Records, read_records
from outcomes.result import Result, write_origin

#: The one analysis that is asked of records, not of a cohort.
_OF_RECORDS = "data_quality"


def run_named(
    name: str,
    source: str,
    path: Path | None,
    of_cohort: Mapping[str, Any],
    of_analysis: Mapping[str, Any],
    audience: str,
) -> tuple[Result | Release, Result | Release | None]:
    """Run an analysis by name; return it and the flow of its cohort, released for others than the team."""
    if audience not in AUDIENCES:
        raise DisclosureError(f"There is no audience {audience!r}; there are {', '.join(AUDIENCES)}.")
    records: Records = read_records(source, path, show_progress=shows_progress())
    if name == _OF_RECORDS:
        results: list[Result] = [run_analysis(name, records, **of_analysis)]
    else:
        cohort = select_cohort(records, **of_cohort)
        results = [run_analysis(name, cohort, **of_analysis), count_flow(cohort)]
    shown = results if audience == "team" else [release(result, audience) for result in results]
    return shown[0], shown[1] if len(shown) > 1 else None


def print_reasons(released: Release, form: str) -> None:
    """Print for the team what becomes of each row of a result, and which rule decided it."""
    why = released.why()
    rows, columns = why.to_dict("records"), list(why.columns)
    if form == "json":
        print_json({"name": released.name, "k": released.k, "why": rows})
    elif form == "csv":
        print_csv(rows, columns)
    else:
        decided = [row for row in rows if row["reason"]]
        print_table(decided, columns[:-1], title=f"{released.name}: {len(decided)} of {len(rows)} rows")
        sentences = {row["reason"]: row["sentence"] for row in decided}
        say("", *(f"{reason}: {sentence}" for reason, sentence in sentences.items()))


def print_analysis(result: Result | Release, flow: Result | Release | None, form: str) -> None:
    """Print a result as a table for people, or as CSV or JSON for machines."""
    rows = result.to_frame().to_dict("records")
    columns = list(result.to_frame().columns)
    if form == "json":
        steps = flow.to_frame().to_dict("records") if flow else []
        print_json(_describe(result) | {"rows": rows, "flow": steps})
    elif form == "csv":
        print_csv(rows, columns)
        note(*_write_words(result))
    else:
        print_table(rows, columns, title=result.name)
        say("", *_write_words(result))
        if flow is not None:
            say("")
            print_table(_tabulate_flow(flow), ["reason", "excluded", "episodes", "patients"], title=flow.name)


def _tabulate_flow(flow: Result | Release) -> list[dict[str, Any]]:
    """Return one row per step of the flow: the reason, and the counts as they may be shown."""
    names = {"n_excluded_episodes": "excluded", "n_episodes": "episodes", "n_patients": "patients"}
    column = "display" if isinstance(flow, Release) else "estimate"
    steps: dict[str, dict[str, Any]] = {}
    for row in flow.to_frame().to_dict("records"):
        step = steps.setdefault(row["term"], {"reason": row["level"]})
        if row["statistic"] in names:
            step[names[row["statistic"]]] = row[column]
    return list(steps.values())


def _describe(result: Result | Release) -> dict[str, Any]:
    write = read_words().write
    return {
        "name": result.name,
        "method": write(result.method),
        "warnings": tuple(map(write, result.warnings)),
        "notes": tuple(map(write, getattr(result, "notes", ()))),
        "estimand": write(result.estimand),
        "comparable": result.comparable,
        "states": result.table["state"].value_counts().to_dict(),
        "provenance": write_origin(result.origin),
    }


def _write_words(result: Result | Release) -> list[str]:
    told = _describe(result)
    states = ", ".join(f"{count} {state}" for state, count in told["states"].items())
    comparable = {True: "comparable", False: "not comparable"}.get(result.comparable)  # type: ignore[arg-type]
    lines = [f"Method: {told['method']}", f"States: {states or 'none'}"]
    lines += [f"Estimand: {told['estimand']}"] if result.estimand else []
    lines += [f"Therapies: {comparable} on what was recorded"] if comparable else []
    noted = (*told["warnings"], *told["provenance"].get("caveats", ()), *told["notes"])
    return [*lines, *(f"Note: {text}" for text in dict.fromkeys(noted))]
