"""The commands, each thin: read what was typed, call one verb of the package, print what it gave."""

from pathlib import Path
from typing import Annotated

import typer

from outcomes.cli import ledger
from outcomes.cli.screen import print_json, print_table, say, shows_progress
from outcomes.cli.values import share_options, split_instrument, split_pairs

app = typer.Typer(
    help="From treatment records to a defensible answer: which therapy, how much better, how sure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(ledger.app, name="ledger")

Source = Annotated[str, typer.Option("--source", help="Name of a source, or the path of its TOML.")]
Records = Annotated[
    Path | None,
    typer.Option("--path", exists=True, help="File or folder of records; else where the source says."),
]
Pairs = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="key=value; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@app.callback(invoke_without_command=True)
def begin(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    """Print the version where it is asked for."""
    if version:
        from outcomes import __version__

        say(f"outcomes {__version__}")
        raise typer.Exit


@app.command("check")
def check_records(
    source: Source = "made-up-clinic",
    path: Records = None,
    reports: Annotated[
        bool, typer.Option("--reports", help="Check reports/reports.toml instead: can all of it be made?")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a source and say what was refused and why.

    Also: how complete it is, what each audience will see, and how many follow-ups are overdue.
    """
    if reports:
        from outcomes.cli.declared import check_declared

        check_declared(as_json)
        return
    from outcomes.cli.checking import describe_records, describe_refusal, print_description
    from outcomes.errors import OutcomesError
    from outcomes.records import read_records

    try:
        records = read_records(source, path, show_progress=shows_progress())
    except OutcomesError as error:
        if as_json:
            print_json(describe_refusal(source, error))
        raise
    description = describe_records(records)
    if as_json:
        print_json(description)
    else:
        print_description(description)


def _already(target: Path) -> str:
    return f"{target} is there already; add --replace to write over it, or --out for another place."


@app.command("draft")
def draft_toml(
    file: Annotated[Path, typer.Argument(help="A file of records, such as CSV or Excel.")],
    sheet: Annotated[
        str | None, typer.Option(help="Sheet of a workbook; all that hold records when absent.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="File to write, - to print; else data/sources/.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over an earlier draft.")] = False,
) -> None:
    """Draft a source TOML from a file, with questions."""
    from outcomes.drafting import draft_source
    from outcomes.errors import FactsError

    draft = draft_source(file, sheet)
    own = {Path("data", "instruments", f"{id}.toml"): text for id, text in draft.instruments.items()}
    if out == "-":
        for place, text in (("", draft.text), *own.items()):
            say(f"# {place}\n{text}".removeprefix("# \n").rstrip("\n"))
        return
    target = Path(out) if out else Path("data", "sources", f"{draft.name}.toml")
    if target.exists() and not replace:
        raise FactsError(_already(target))
    for place, text in ((target, draft.text), *own.items()):
        if place == target or not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    written = " and ".join(map(str, (target, *own)))
    say(f"Wrote {written} with {draft.n_questions} questions.")
    for kind, headers in draft.left_out.items():
        say(f"  not read, {kind.replace('_', ' ')}: {', '.join(headers)}")
    named = draft.name if out is None else str(target)
    say(f'Answer each text that begins with "?", then: outcomes check --source {named} --path {file}')


@app.command("template")
def write_template(
    out: Annotated[Path, typer.Option(help="Workbook to write.")] = Path("outcomes-form.xlsx"),
    replace: Annotated[bool, typer.Option("--replace", help="Write over an earlier form.")] = False,
) -> None:
    """Write an Excel form that needs no source TOML."""
    from outcomes.drafting import write_form
    from outcomes.errors import FactsError

    if out.exists() and not replace:
        raise FactsError(_already(out))
    write_form(out)
    say(f"Wrote {out}. Fill its first sheet, one row per patient, then:")
    say(f"  outcomes report therapy_comparison --source template --path {out}")


@app.command("report", add_help_option=False)
def make_reports(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of a report, such as therapy_comparison.")] = None,
    instrument: Annotated[
        list[str] | None, typer.Option(help="Instrument, such as odi or nprs:average; may be repeated.")
    ] = None,
    audience: Annotated[list[str] | None, typer.Option(help="team or stakeholder; may be repeated.")] = None,
    source: Source = "made-up-clinic",
    path: Records = None,
    parameter: Pairs = None,
    out: Annotated[Path, typer.Option(help="Folder of pages.")] = Path("reports", "html"),
    as_json: AsJson = False,
    engine: Annotated[str, typer.Option(help="auto, fork or stock: how the notebook is run.")] = "auto",
    list_all: Annotated[bool, typer.Option("--list", help="List the reports.")] = False,
    asks_help: Annotated[
        bool, typer.Option("-h", "--help", help="Show this, or with NAME the report's parameters.")
    ] = False,
) -> None:
    """Make a report, a page per instrument and audience."""
    if asks_help and name is None:
        say(context.get_help())
        return
    from outcomes.reports import list_reports

    if asks_help and name is not None:
        from outcomes.cli.making import print_parameters

        print_parameters(name)
        return
    if list_all or name is None:
        say(*list_reports())
        return
    from outcomes.cli.making import make_pages

    wanted = [
        split_instrument(one) | ({"audience": who} if who else {})
        for one in instrument or [""]
        for who in audience or [""]
    ]
    exit_code = make_pages(name, wanted, split_pairs(parameter or ()), source, path, out, engine, as_json)
    raise typer.Exit(exit_code)


Declaration = Annotated[
    Path | None, typer.Option("--file", exists=True, help="The declaration; else reports/reports.toml.")
]


@app.command("run")
def run_reports(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Reports as declared.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Make what is due, and nothing twice.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Make the latest release of every report.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another run to end.")] = 0.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; else one a processor.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786.")] = None,
    accepted: Annotated[str, typer.Option("--accept-shrunk", help="Why records that shrank are right.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what failed or was made.")] = False,
    declaration: Declaration = None,
    as_json: AsJson = False,
) -> None:
    """Make the reports that reports/reports.toml declares.

    With --due what is due, which any scheduler may call as often as it likes; with --all or IDs the latest
    release, pages that would come out the same excepted.
    """
    if bool(ids) + due + every != 1:
        raise typer.BadParameter("give --due, --all, or the IDs of reports", param_hint="run")
    from outcomes.cli.running import run_declared

    exit_code = run_declared(
        ids or [],
        due,
        declaration=declaration,
        wait_seconds=wait,
        workers=workers,
        cluster=cluster,
        accepted=accepted,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(exit_code)


@app.command("approve")
def approve_pages(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[REPORT|PAGE]...", help="Ids as declared, or pages.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who approves; stands beside the page.")] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="Take the pages back instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Release pages for stakeholders that wait for approval; alone it lists what waits.

    Each page is compared once more with all that was released, and put into reports/released.
    """
    from outcomes.cli.declared import print_waiting, settle_waiting

    if what:
        settle_waiting(what, by, refuse, as_json)
    else:
        print_waiting(as_json)


@app.command("schedule")
def print_schedule(
    scheduler: Annotated[str, typer.Argument(help="cron, systemd, windows or airflow.")],
) -> None:
    """Print what a scheduler needs to run what is due."""
    from outcomes.cli.scheduling import SCHEDULERS, write_snippet

    if scheduler not in SCHEDULERS:
        raise typer.BadParameter(f"choose {', '.join(SCHEDULERS)}", param_hint="scheduler")
    say(write_snippet(scheduler).rstrip("\n"))


@app.command("status")
def show_status(
    max_age: Annotated[
        str | None, typer.Option(help="Longest time since a run without failure, such as 26h.")
    ] = None,
    declaration: Declaration = None,
    as_json: AsJson = False,
) -> None:
    """Show how each declared report stands.

    Ends with 1 where one failed, or where the last run without a failure is longer ago than --max-age.
    """
    from outcomes.cli.declared import print_status

    raise typer.Exit(print_status(declaration, max_age, as_json))


@app.command("analyse")
def analyse_cohort(
    name: Annotated[str | None, typer.Argument(help="Name of an analysis, such as change.")] = None,
    source: Source = "made-up-clinic",
    path: Records = None,
    instrument: Annotated[str | None, typer.Option(help="Instrument, such as odi or nprs:average.")] = None,
    parameter: Pairs = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Filter, such as region=low_back or age_years=18..65.")
    ] = None,
    audience: Annotated[str, typer.Option(help="team or stakeholder.")] = "team",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    why: Annotated[
        bool, typer.Option("--why", help="For the team: why rows are not shown to stakeholders.")
    ] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the analyses.")] = False,
) -> None:
    """Run one analysis and print its rows.

    With them: the method, the states and the flow of episodes.
    """
    from outcomes.analyses import list_analyses

    if list_all or name is None:
        say(*list_analyses())
        return
    if form not in ("table", "csv", "json"):
        raise typer.BadParameter("choose table, csv or json", param_hint="--format")
    if why and audience == "team":
        raise typer.BadParameter("the team is shown all; add --audience stakeholder", param_hint="--why")
    from outcomes.cli.analysing import print_analysis, print_reasons, run_named
    from outcomes.cohort import read_filters
    from outcomes.disclosure import Release

    of_cohort, of_analysis = share_options(name, split_pairs(parameter or ()))
    of_cohort |= split_instrument(instrument)
    of_cohort |= {"where": read_filters(where)} if where else {}
    result, flow = run_named(name, source, path, of_cohort, of_analysis, audience)
    if why and isinstance(result, Release):
        print_reasons(result, form)
    else:
        print_analysis(result, flow, form)


@app.command("instruments")
def show_instruments(
    id: Annotated[
        str | None, typer.Argument(help="Id of an instrument, such as odi, or its LOINC code.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is known of instruments, with sources."""
    from dataclasses import asdict

    from outcomes.facts import list_loinc_codes, read_instrument
    from outcomes.facts.instrument_sheet import list_instrument_rows, write_instrument_sheet

    if id is not None:
        id = list_loinc_codes().get(id, id).partition(":")[0]
    if id is not None and as_json:
        print_json(asdict(read_instrument(id)))
    elif id is not None:
        say(write_instrument_sheet(id).rstrip("\n"))
    else:
        rows = list_instrument_rows()
        print_json(rows) if as_json else print_table(rows, list(rows[0]))


@app.command("simulate")
def simulate_records(
    episodes: Annotated[int, typer.Option(min=1, help="Number of episodes.")] = 1200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 20261123,
    out: Annotated[Path | None, typer.Option(help="Folder to write.")] = None,
) -> None:
    """Write made-up records with known true effects."""
    from outcomes.synthetic import write_clinic

    folder = out or Path(f"made-up-clinic-{seed}")
    write_clinic(folder, n_episodes=episodes, seed=seed)
    say(f"Wrote {episodes} made-up episodes to {folder}. To look at them:")
    say(f"  outcomes report therapy_comparison --source made-up-clinic --path {folder}")


@app.command("explore", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def open_explorer(context: typer.Context) -> None:
    """Open JupyterLab on the explore notebook; further options are JupyterLab's, such as --no-browser."""
    import subprocess
    import sys

    from outcomes.errors import ReportError

    notebook = Path("notebooks", "explore.ipynb")
    if not notebook.is_file():
        raise ReportError(
            f"There is no {notebook.as_posix()} here; change to the project's folder.", exit_code=2
        )
    # JupyterLab would look for news and newer versions on the network; nothing does so unasked here.
    quiet = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
    # the whole project can be browsed, so that a page made from the panel can be opened
    place = f"--ServerApp.root_dir={Path.cwd()}"
    command = [sys.executable, "-m", "jupyterlab", *quiet, place, *context.args, str(notebook)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
