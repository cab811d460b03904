"""`PageContext`: the page that results are released to, and how a notebook opens the page of its run."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from outcomes.disclosure.joint import ShownNumbers
from outcomes.disclosure.ledger.earlier_cells import EarlierCells
from outcomes.disclosure.ledger.editions import Edition
from outcomes.disclosure.ledger.opening import open_as_it_is
from outcomes.disclosure.rules import check_audience
from outcomes.errors import DisclosureError
from outcomes.facts import Text
from outcomes.machine.private_files import write_private_file

#: Environment variable of the process that executes a notebook: the private folder of its run.
_RUN_FOLDER = "OUTCOMES_RUN_DIR"
#: In that folder: which edition the page is, and where the ledger is that it is compared with.
_LEDGER = "ledger.json"
#: In that folder once the page for stakeholders is open; it is opened once.
_OPENED = "page-opened"


@dataclass(frozen=True, eq=False)
class PageContext:
    """The page that results are released to; made by `open_page`.

    Parameters
    ----------
    audience : str
        ``stakeholder`` or ``team``.
    k : int or None
        Smallest number of distinct patients behind a shown number; None: that of the source's profile.
    language : str
        Of the page's words, such as ``en``.
    folder : Path or None
        Private folder of the run that makes the page; None for work by hand.
    earlier : EarlierCells or None
        Cells of earlier editions that its numbers are compared with; None: nothing is compared.
    shown : ShownNumbers or None
        What was released to the page so far; None, for an audience alone: a result is protected by itself.
    """

    audience: str = "stakeholder"
    k: int | None = None
    language: str = "en"
    folder: Path | None = None
    earlier: EarlierCells | None = field(default=None, repr=False)
    shown: ShownNumbers | None = field(default=None, repr=False)


def open_page(audience: str = "stakeholder", k: int | None = None, language: str = "en") -> PageContext:
    """Open the page that the results of a notebook are released to.

    All that is released to a page for stakeholders is protected together, so that the order of releases
    matters. While a report runs it is compared with earlier editions too. By hand, in a notebook that is open
    in an editor or in the panel, open a page for each cohort.

    Parameters
    ----------
    audience : str
        Who will see the page: ``stakeholder`` or ``team``.
    k : int, optional
        Smallest number of distinct patients behind what a stakeholder sees; that of the source's profile
        where absent.
    language : str
        Of the page's words.

    Returns
    -------
    PageContext
        To be given to every `release` of the notebook.

    Raises
    ------
    DisclosureError
        When the audience is unknown, the page of this report was opened before, or the ledger of earlier
        editions cannot be trusted.

    Examples
    --------
    >>> open_page("team").audience
    'team'
    """
    check_audience(audience)
    folder = find_run_folder()
    if audience == "team":
        return PageContext(audience, k, language, folder)
    if folder is None:
        return PageContext(audience, k, language, shown=ShownNumbers())
    try:
        os.close(os.open(folder / _OPENED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise DisclosureError(Text.of("errors.page.opened_twice")) from None
    except OSError as error:
        raise DisclosureError(
            f"The private folder of this run cannot be written ({error.strerror}); nothing was released."
        ) from None
    return PageContext(audience, k, language, folder, read_earlier_cells(folder), ShownNumbers())


def find_page(page: PageContext | str, k: int | None) -> PageContext:
    """Return the page that a result is released to; an audience by itself is a page without a memory.

    A result for stakeholders may not escape the page of the report that runs.
    """
    if isinstance(page, str):
        check_audience(page)
        page = PageContext(page, k)
    elif k is not None:
        raise DisclosureError("The page says what k is: give k to open_page, not to release.")
    if page.audience != "team" and page.folder != find_run_folder():
        raise DisclosureError(Text.of("errors.page.passed_by"))
    return page


def find_run_folder() -> Path | None:
    """Return the private folder of the run whose notebook this process executes; None elsewhere."""
    folder = os.environ.get(_RUN_FOLDER)
    return Path(folder) if folder else None


def name_run_folder(folder: Path) -> dict[str, str]:
    """Return the environment variable by which `find_run_folder` finds the folder of a run."""
    return {_RUN_FOLDER: str(folder)}


def hand_ledger(private: Path, edition: Edition, run_folder: Path) -> None:
    """Tell the notebook of a run which edition it makes, and in which private folder the ledger is."""
    content = {"private": str(Path(private).absolute()), "edition": dataclasses.asdict(edition)}
    write_private_file(run_folder / _LEDGER, json.dumps(content, ensure_ascii=False).encode("utf-8"))


def read_earlier_cells(run_folder: Path) -> EarlierCells | None:
    """Return the cells that the page of a run is compared with; None where no ledger was handed over."""
    path = run_folder / _LEDGER
    if not path.is_file():
        return None
    try:
        handed = json.loads(path.read_text(encoding="utf-8"))
        edition, private = Edition(**handed["edition"]), Path(handed["private"])
    except (OSError, ValueError, TypeError, KeyError):
        raise DisclosureError("The run's ledger.json cannot be read; nothing was released.") from None
    with open_as_it_is(private) as ledger:
        return EarlierCells(ledger, edition)
