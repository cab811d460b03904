"""`outcomes check`: what was read and refused and why, what is complete, and what each audience will see."""

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np

from outcomes.analyses import (
    check_comparability,
    count_completeness,
    count_responders,
    describe_baseline,
    summarise_change,
)
from outcomes.cli.screen import print_table, say
from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import AUDIENCES, choose_detail, read_rules, release
from outcomes.disclosure.ledger.pace import CADENCES, Pace, follow_pace, read_days
from outcomes.errors import AnalysisError, Finding, OutcomesError
from outcomes.facts import read_facts, read_schema, read_words
from outcomes.machine.private_files import open_private_folder, write_private_file
from outcomes.records import Records
from outcomes.records.gate.anonymity import measure_anonymity
from outcomes.result import ALL
from outcomes.views.figure import explain_undrawn, find_undrawn
from outcomes.views.labels import name_measure

_KINDS = {
    "refused records": ("quarantine_row", "quarantine_patient_pair"),
    "refused cells": ("quarantine_cell",),
    "decided by the source": ("answered",),
    "repaired": ("repair_and_log",),
    "to know": ("accept_with_warning",),
}
#: Findings that have a part of their own.
_EXCEPTION, _ALIKE = "GATE_EXCEPTION", "K_ANONYMITY"
#: Ways of merging traits that are printed.
_SHOWN_ADVICE = 3
_WHO = {"team": "the team", "stakeholder": "people outside"}
#: What a page shows of the primary outcome.
_FORESEEN = (describe_baseline, count_completeness, summarise_change, count_responders)


def describe_records(records: Records) -> dict[str, Any]:
    """Describe what was read of a source, without any patient's value."""
    cohorts, problems = _select_cohorts(records)
    boxes = explain_undrawn(find_undrawn(_list_drawn(records, cohorts)), read_words())
    description: dict[str, Any] = {
        "source": records.source.name,
        "n_read": records.n_read,
        "n_accepted": records.n_accepted,
        "n_repeated": records.n_repeated,
        "n_refused": records.n_refused,
        "n_patients": int(records.episodes["patient_id"].nunique()),
        "n_episodes": len(records.episodes),
        "n_assessments": len(records.assessments),
        "findings": {kind: _pick(records.findings, outcomes) for kind, outcomes in _KINDS.items()},
        "not_read": records.unmapped,
        "unread": records.unread,
        "exceptions": [str(finding) for finding in records.findings if finding.rule == _EXCEPTION],
        "anonymity": _describe_anonymity(records),
        "completeness": [row for cohort in cohorts for row in _count_seen(cohort)],
        "problems": problems,
        "figures": [boxes] if boxes else [],
    }
    if cohorts:
        description["audiences"] = _foresee(cohorts[0])
        description["pace"] = describe_pace(cohorts[0], description["audiences"]["k"])
        description["overdue"] = _list_overdue(cohorts[0])
    return description


def describe_refusal(source: str, error: OutcomesError) -> dict[str, Any]:
    """Describe why a source was not read, and what it must answer first, for machines."""
    return {
        "source": source,
        "read": False,
        "exit_code": error.exit_code,
        "questions": [finding.describe() for finding in error.questions],
        "findings": [finding.describe() for finding in error.findings if finding.outcome != "ask"],
    }


def _pick(findings: tuple[Finding, ...], outcomes: tuple[str, ...]) -> list[str]:
    told = (finding for finding in findings if finding.rule not in (_EXCEPTION, _ALIKE))
    return [str(finding) for finding in told if finding.outcome in outcomes]


def _describe_anonymity(records: Records) -> dict[str, Any] | None:
    """Describe how many patients share their traits, and what merging traits would do; for the team."""
    found = measure_anonymity(records.episodes, records.assessments, records.source)
    if found is None or not records.source.k_min:
        return None
    return {
        "traits": list(found.traits),
        "figures": found.to_frame().to_dict("records"),
        "k_min": found.k_min,
        "advice": [dict(entry) for entry in found.advice],
    }


def _select_cohorts(records: Records) -> tuple[list[Cohort], list[str]]:
    """Select a cohort for each recorded outcome, the source's primary one first."""
    scores = records.assessments[["instrument", "variant"]].drop_duplicates().astype("object")
    outcomes = [(str(id), str(name) if isinstance(name, str) else None) for id, name in scores.to_numpy()]
    primary = records.source.primary
    first = (primary.get("instrument"), primary.get("variant"))
    outcomes.sort(key=lambda outcome: (outcome != first, outcome[0] != first[0], str(outcome)))
    cohorts, problems = [], []
    for instrument, variant in outcomes:
        try:
            cohorts.append(select_cohort(records, instrument=instrument, variant=variant))
        except AnalysisError as error:
            problems.append(f"{instrument}{f':{variant}' if variant else ''}: {error}")
    return cohorts, problems


def _list_drawn(records: Records, cohorts: list[Cohort]) -> Iterator[str]:
    """Yield the labels that figures may draw: of therapies, time points and measures, and names of sites."""
    for cohort in cohorts:
        yield name_measure(cohort.instrument.id, cohort.variant, read_words(), short=True)
        yield from (therapy.short_label for therapy in cohort.therapies.values())
        yield from (timepoint.label for timepoint in cohort.timepoints.values())
    yield from (name for name in records.episodes["site"].dropna().unique() if isinstance(name, str))


def _count_seen(cohort: Cohort) -> list[dict[str, Any]]:
    """Count those due and seen of all therapies together, one row per time point."""
    table = count_completeness(cohort).where(group=ALL).table
    wide = table.pivot(index="timepoint", columns="statistic", values="estimate")
    skips_baseline = cohort.instrument.domain in read_facts("cohort")["domains_without_baseline"]
    return [
        {
            "outcome": cohort.outcome,
            "timepoint": timepoint,
            "due": wide["n_due"].get(timepoint),
            "seen": wide["n_seen"].get(timepoint),
            "share_seen": wide["share_seen"].get(timepoint),
        }
        for timepoint in cohort.timepoints
        if timepoint in wide.index and not (skips_baseline and timepoint == "baseline")
    ]


def _foresee(cohort: Cohort) -> dict[str, Any]:
    """Count the rows that each audience will see of what a page shows of the primary outcome."""
    gate = check_comparability(cohort)
    seen = {audience: choose_detail(cohort, audience) for audience in AUDIENCES}
    profile, write = read_rules(profile=cohort.source.disclosure_profile), read_words().write
    rows = []
    for audience, held in seen.items():
        for result in (analyse(held) for analyse in _FORESEEN):
            n_rows, n_shown = len(result.table), int(release(result, audience).table["shown"].sum())
            counts = {"rows": n_rows, "shown": n_shown, "withheld": n_rows - n_shown}
            rows.append({"audience": audience, "part": result.name, **counts})
    return {
        "outcome": cohort.outcome,
        "disclosure_profile": profile.profile,
        "k": profile.k,
        "detail": {audience: list(map(write, held.detail)) for audience, held in seen.items()},
        "comparable": gate.comparable,
        "because": [] if gate.comparable else list(map(write, gate.warnings)),
        "covariates": write(cohort.rules["missing"]),
        "rows": rows,
    }


def _list_overdue(cohort: Cohort) -> dict[str, Any]:
    """Write the episodes whose latest due follow-up was not seen to a private file, and count them."""
    grid = cohort.table.loc[cohort.table["timepoint"] != next(iter(cohort.timepoints))]
    due = grid.loc[grid["status"].isin(["seen", "missing", "lost"])]
    latest = due.groupby("episode_id", observed=True).tail(1)
    overdue = latest.loc[latest["status"] != "seen", ["episode_id", "timepoint"]]
    if overdue.empty:
        return {"n": 0, "file": None}
    name = f"overdue-{cohort.source.name}-{datetime.date.today().isoformat()}.csv"
    path = open_private_folder(Path(".outcomes")) / name
    text = overdue.assign(outcome=cohort.outcome).to_csv(index=False, lineterminator="\n")
    write_private_file(path, text.encode("utf-8"))
    return {"n": len(overdue), "file": path.as_posix()}


def print_description(description: Mapping[str, Any]) -> None:
    """Print a description for a person."""
    counts = ("n_read", "n_accepted", "n_repeated", "n_refused", "n_patients", "n_episodes", "n_assessments")
    read, accepted, repeated, refused, patients, episodes, assessments = (description[key] for key in counts)
    again = f"{repeated} repeated, " if repeated else ""
    say(f"{description['source']}: {read} records read, {accepted} accepted, {again}{refused} refused")
    say(f"{patients} patients, {episodes} episodes, {assessments} assessments")
    for kind, lines in description["findings"].items():
        _print_section(kind.capitalize(), lines)
    unread = [f"{file}: {', '.join(headers)}" for file, headers in description["not_read"].items() if headers]
    _print_section("Columns not read", unread)
    beside = [
        f"{name}: {'not counted' if n_rows is None else f'{n_rows} rows'}"
        for name, n_rows in description["unread"].items()
    ]
    _print_section("Sheets and files not read", beside)
    _print_section("Reviewed exceptions to the gate", description["exceptions"])
    _print_anonymity(description["anonymity"])
    if description["completeness"]:
        say("")
        rows = [row | {"share_seen": f"{row['share_seen']:.0%}"} for row in description["completeness"]]
        print_table(rows, ["outcome", "timepoint", "due", "seen", "share_seen"], title="Completeness")
    _print_section("Cannot be asked as it stands", description["problems"])
    _print_section("Figures", description["figures"])
    _print_outlook(description)


def _print_section(title: str, lines: list[str]) -> None:
    if lines:
        say("", title, *(indent(line, "  ") for line in lines))


def _print_anonymity(anonymity: Mapping[str, Any] | None) -> None:
    """Say how many patients could be recognised by their traits, and what would help; no page shows it."""
    if anonymity is None:
        return
    figures = {row["what"]: int(row["value"]) for row in anonymity["figures"]}
    k, columns = anonymity["k_min"], read_schema()["episodes"]
    labels = {name: columns[name].label for name in anonymity["traits"] if name in columns}
    traits = read_words().join(labels.get(name) or name.replace("_", " ") for name in anonymity["traits"])
    n_small, n_patients = figures[f"patients in groups below {k}"], figures["patients"]
    say("", f"Patients who are alike by {traits}")
    if not n_small:
        say(f"  each of the {n_patients} patients has at least {k - 1} others like them")
        return
    alone = f", {figures['patients in groups below 2']} have none" if k > 2 else ""
    say(f"  {n_small} of {n_patients} patients have fewer than {k - 1} others like them{alone}")
    if anonymity["advice"]:
        say("  so few there would be, if these were merged or left out:")
        say(*(f"    {entry['left']}: {entry['what']}" for entry in anonymity["advice"][:_SHOWN_ADVICE]))
    else:
        say("  merging or leaving out one of these would not change that")


def _print_outlook(description: Mapping[str, Any]) -> None:
    if "audiences" not in description:
        return
    outlook, overdue = description["audiences"], description["overdue"]
    n_of = {(row["part"], row["audience"]): row for row in outlook["rows"]}
    parts = dict.fromkeys(row["part"] for row in outlook["rows"])
    rows = []
    for part in parts:
        named = {"part of the page": read_words().say(f"methods.{part}.name")}
        rows.append(named | {_WHO[audience]: n_of[part, audience]["shown"] for audience in AUDIENCES})
    say("")
    print_table(rows, list(rows[0]), title=f"Numbers of {outlook['outcome']} that each audience would see")
    say(
        f"People outside see a number where at least {outlook['k']} patients stand behind it "
        f"(disclosure_profile = {outlook['disclosure_profile']!r} in the source, or k of a report)."
    )
    for audience, sentences in outlook["detail"].items():
        say(*(f"  {_WHO[audience]}: {sentence}" for sentence in sentences))
    words = {True: "yes", False: "no", None: "there is nothing to compare"}
    say("", f"Therapies comparable on what was recorded: {words[outlook['comparable']]}")
    say(*(f"  {reason}" for reason in outlook["because"]), f"  {outlook['covariates']}")
    print_pace(description["pace"], outlook["outcome"])
    say("", f"Overdue follow-ups: {overdue['n']}")
    if overdue["file"]:
        say(f"  which episodes: {overdue['file']} (private; it holds their ids)")


def describe_pace(cohort: Cohort, k: int = 11) -> dict[str, Any]:
    """Describe how often each therapy's mean improvement could have been brought up to date at this pace.

    ``numbers`` gives per therapy and time point the patients who joined and the updates held back at each
    cadence, ``held`` the share of all updates (0-1) by cadence. Without dates both are empty, and ``because``
    says why.
    """
    read_rules(k)
    grid = cohort.table
    episodes = cohort.records.episodes
    starts = episodes.set_index(episodes["episode_id"].astype("str"))["start_date"]
    start = starts.reindex(grid["episode_id"].astype("str")).reset_index(drop=True)
    improved = grid["improvement"].notna() if grid["improvement"].notna().any() else grid["score"].notna()
    seen = ((grid["status"] == "seen") & improved & (grid["timepoint"] != "baseline")).to_numpy()
    joined = read_days(start[seen], grid.loc[seen, "day"])
    if not joined.size:
        what = "on which an episode began" if start.isna().all() else "of follow-ups"
        return {"k": k, "numbers": [], "held": {}, "because": f"the records hold no dates {what}"}
    until = read_days(start, grid["day"]).max()
    numbers: list[dict[str, Any]] = []
    paces: list[Pace] = []
    for therapy, timepoint, members in _list_paced(cohort):
        chosen = members & seen
        days = read_days(start[chosen], grid.loc[chosen, "day"])
        row: dict[str, Any] = {"therapy": therapy, "timepoint": timepoint}
        for pace in (follow_pace(days, until, k, cadence) for cadence in CADENCES):
            paces.append(pace)
            row[f"new {pace.cadence}"] = None if np.isnan(pace.n_new) else pace.n_new
            row[f"held {pace.cadence}"] = f"{pace.n_held} of {pace.n_updates}"
        numbers.append(row)
    held: dict[str, float | None] = {}
    for cadence in CADENCES:
        own = [pace for pace in paces if pace.cadence == cadence]
        updates = sum(pace.n_updates for pace in own)
        held[cadence] = sum(pace.n_held for pace in own) / updates if updates else None
    return {"k": k, "numbers": numbers, "held": held, "because": ""}


def _list_paced(cohort: Cohort) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield therapy, time point and rows of the grid of each number of a page."""
    grid = cohort.table
    for therapy in [*(name for name in cohort.therapies if (grid["therapy"] == name).any()), ALL]:
        group = np.ones(len(grid), dtype=bool) if therapy == ALL else (grid["therapy"] == therapy).to_numpy()
        for timepoint in cohort.timepoints:
            if timepoint != "baseline":
                yield therapy, timepoint, group & (grid["timepoint"] == timepoint).to_numpy()


def print_pace(pace: Mapping[str, Any], outcome: str) -> None:
    """Print what `describe_pace` found, and what to do about it."""
    say("")
    if pace["because"]:
        say(f"How many updates of a stakeholder's page would be held back cannot be said: {pace['because']}.")
        return
    updates = f"Updates of the mean improvement in {outcome}"
    title = f"{updates} that would have been held back in the last 24 months"
    print_table(pace["numbers"], list(pace["numbers"][0]) if pace["numbers"] else [], title=title)
    told = [f"{cadence} {share:.0%}" for cadence, share in pace["held"].items() if share is not None]
    if not told:
        say("No number had k patients early enough to be released twice in that time.")
        return
    say(f"Held back, because fewer than {pace['k']} patients had joined: {', '.join(told)} of all updates.")
    quarterly = pace["held"].get("quarterly")
    if quarterly is not None and quarterly > 0.5:
        say('  A page for stakeholders is better made once or twice a year here (cadence = "yearly").')
    elif (pace["held"].get("monthly") or 0) > 0.5:
        say("  Quarterly, the default cadence, suits this clinic better than monthly.")
