"""`outcomes ledger`: is the ledger of releases whole, what it holds, and putting back a damaged one."""

from pathlib import Path
from typing import Annotated

import typer

from outcomes.cli.screen import print_json, print_table, say

app = typer.Typer(help="The ledger of releases: what was shown of whom.", no_args_is_help=True)

Private = Annotated[Path, typer.Option("--private", help="The private folder of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
_FOLDER = Path(".outcomes")
_WAIT_SECONDS = 10.0


@app.command("verify")
def verify_ledger(private: Private = _FOLDER) -> None:
    """Look whether the ledger is whole: key, digest, chain of events, released numbers, patient sets."""
    from outcomes.disclosure.ledger import open_as_it_is
    from outcomes.reports.editions.released_pages import find_newest_known

    with open_as_it_is(_place(private), find_newest_known()) as ledger:
        ledger.rehash()
        editions, head = ledger.list_editions(), ledger.head
    released = sum(edition.state == "released" for edition in editions)
    say(
        f"The ledger is whole: {len(editions)} editions, {released} of them released; "
        f"event {head.sequence}, {head.hash[:16]}."
    )


@app.command("show")
def show_ledger(private: Private = _FOLDER, as_json: AsJson = False) -> None:
    """Show the editions that the ledger knows, with the counts of their numbers; nothing of any patient."""
    from outcomes.disclosure.ledger import open_as_it_is

    with open_as_it_is(_place(private)) as ledger:
        counts = ledger.count_cells()
        rows = [
            {
                "event": edition.sequence,
                "state": edition.state,
                "series": edition.series or "(by hand)",
                "slot": edition.slot,
                "page": edition.page,
                "made": edition.made,
                "k": edition.k,
                "numbers": counts[edition.id][0],
                "held back": counts[edition.id][1],
                "approved by": edition.approved_by,
                "on": edition.approved_on,
                "id": edition.id,
            }
            for edition in ledger.list_editions()
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, list(rows[0]))
    else:
        say("The ledger knows no edition yet.")


@app.command("restore")
def restore_copy(
    private: Private = _FOLDER,
    withdrawn: Annotated[
        list[str] | None,
        typer.Option("--withdrawn", help="File name of a page that was taken back; may be repeated."),
    ] = None,
) -> None:
    """Put the newest good copy of the ledger back; refused where that would forget a release that stands."""
    from outcomes.disclosure.ledger import restore_ledger
    from outcomes.machine.lock import hold_lock
    from outcomes.reports.editions.released_pages import EDITIONS_LOCK, list_released

    records = sorted(list_released().values(), key=lambda record: record.ledger_sequence)
    released = {record.page: record.ledger_sequence for record in records}
    # no page is made or released meanwhile
    with (
        hold_lock(_place(private), EDITIONS_LOCK, _WAIT_SECONDS),
        restore_ledger(_place(private), released, withdrawn or ()) as ledger,
    ):
        say(f"Restored: {len(ledger.list_editions())} editions, event {ledger.head.sequence}.")
        say("The ledger as it was is kept in ledger/aside-N of the private folder.")


@app.command("begin")
def begin_anew(
    reason: Annotated[str, typer.Argument(help="Why earlier pages shall no longer be compared.")],
    private: Private = _FOLDER,
) -> None:
    """Begin a new ledger, where the old one cannot be put back; it is kept aside, and the reason is recorded.

    From then on nothing guards against what earlier pages and later ones tell together.
    """
    from outcomes.disclosure.ledger import open_ledger
    from outcomes.machine.lock import hold_lock
    from outcomes.reports.editions.released_pages import EDITIONS_LOCK, find_newest_known

    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="REASON")
    with (
        hold_lock(_place(private), EDITIONS_LOCK, _WAIT_SECONDS),
        open_ledger(_place(private), new_series=reason, newest_known=find_newest_known()) as ledger,
    ):
        say(f"A new ledger begins with event {ledger.head.sequence}: {reason.strip()}")


def _place(private: Path) -> Path:
    from outcomes.facts import find_project

    return find_project() / private
