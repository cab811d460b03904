"""`FileSpec`: how one file of a source is to be read, and where its scores stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ScoreSpec:
    """Where one score of a file stands."""

    #: Id of the instrument.
    instrument: str
    #: Header of the column that holds the score, or, with ``items``, of a published total to check.
    column: str | None = None
    #: Headers of the item columns, in the instrument's order; the score is then computed.
    items: tuple[str, ...] = ()
    #: Variant of the instrument.
    variant: str | None = None
    #: In files with one row per episode: which time point these columns are.
    timepoint: str | None = None
    #: In such files: header of the date of this assessment, where recorded.
    date_column: str | None = None
    #: The same as a day after time zero.
    day_column: str | None = None
    #: How the clinic records it, one of the instrument's ``scales``; ``own`` says that it is the instrument's
    #: own, whatever the numbers look like. A cell that states its unit or its denominator (``5.7 cm``,
    #: ``17/50``) is read by that. Where absent and in doubt, the source is asked.
    scale: str | None = None
    #: Codes that mean missing in these columns.
    missing: tuple[str, ...] = ()
    #: Name of the missing-item policy; the instrument's default where absent.
    item_policy: str | None = None
    #: Code in the file to item value, where they differ, as where items are coded from 1 instead of 0.
    #: Letters need none where the instrument's rule says what the first answer counts.
    item_codes: Mapping[str, float] = field(default_factory=dict)
    #: What the column holds: ``score``, ``change`` (this score less that at the start) or ``improvement``
    #: (the same, signed so that positive is better).
    holds: str | None = None
    #: Doubts about these scores that somebody has looked into and found to be as it stands; each question
    #: names its own (``item_coding``: answers that look coded from another number are not).
    confirmed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExcludeSpec:
    """Which records a source excludes, and why: those whose ``column`` holds one of ``values``.

    Excluded records are accepted, then counted in the flow.
    """

    #: Header of the column that says so.
    column: str
    #: Codes in it.
    values: tuple[str, ...]
    #: In words, as the flow prints it.
    reason: str


@dataclass(frozen=True)
class AbsenceSpec:
    """Where scores are missing because other columns of the row say so."""

    #: Header of the column that says so; of several, all must hold one of ``values``.
    column: str | tuple[str, ...]
    #: What stands in it, ``""`` for blank; a number is compared as a number.
    values: tuple[str, ...]
    #: Headers, or ids of instruments, that it is about; all scores of the row where absent.
    scores: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Headers of the columns that say so."""
        return (self.column,) if isinstance(self.column, str) else self.column


@dataclass(frozen=True)
class RowsSpec:
    """Rows of a file: those in which ``column`` holds one of ``values``."""

    #: Header of the column that says so.
    column: str
    #: What stands in it, ``""`` for blank.
    values: tuple[str, ...]


@dataclass(frozen=True)
class FileSpec:
    """How one file, or several of one form, is to be read."""

    #: File name or pattern (``*.csv``), relative to the folder that is being read.
    path: str
    #: What one row is: ``episode`` (with scores of several time points beside each other), ``assessment``,
    #: ``session`` or ``event``.
    rows: str
    #: Column of the schema to header in the file. ``instrument``, ``variant`` and ``score`` may be mapped in
    #: a long file; ``date`` is the date of the row (assessment, session or event). ``patient_id`` and
    #: ``episode_id`` may be lists of headers whose cells are the id together.
    columns: Mapping[str, str] = field(default_factory=dict)
    #: For a column of the schema (or ``instrument``): code in the file to value of the schema.
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Codes that mean missing in every mapped column, beside the usual spellings.
    missing: tuple[str, ...] = ()
    #: The same for one column of the schema.
    missing_codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: ``[[file.scores]]``
    scores: tuple[ScoreSpec, ...] = ()
    #: ``[[file.exclude]]``
    exclude: tuple[ExcludeSpec, ...] = ()
    #: In a long file: instrument (with its variant where it has one) to how the clinic records it, one of the
    #: instrument's ``scales`` or ``own``, as in `ScoreSpec`.
    scales: Mapping[str, str] = field(default_factory=dict)
    #: ``"by id"``, or ``"one per row"`` where a file has no patient column.
    patient: str = "by id"
    #: Line of the header, counted from 1; several lines of a merged header are joined by a space, a blank
    #: upper cell taking the one to its left.
    header_row: int | tuple[int, ...] = 1
    #: Headers whose blank cells repeat the cell above (merged cells).
    fill_down: tuple[str, ...] = ()
    #: Name of the sheet of an Excel file; the only visible one where absent. ``*`` reads every visible sheet
    #: that has the mapped headers, as where each sheet holds one patient.
    sheet: str | None = None
    #: With ``sheet = "*"``: mapped headers that are labels above the rows; the cell to the right of each
    #: holds for all rows of its sheet.
    heading: tuple[str, ...] = ()
    #: Of a text file; UTF-8 where absent, unless the file begins with a mark that says otherwise.
    encoding: str | None = None
    #: Of a text file; found from the header where absent.
    delimiter: str | None = None
    #: ``.`` or ``,``.
    decimal: str = "."
    #: ``year-first``, ``day-first`` or ``month-first``.
    date_order: str = "year-first"
    #: ``gregorian``, ``roc``, ``excel1900`` or ``excel1904``.
    date_calendar: str = "gregorian"
    #: What joins several therapies in one cell; such an episode is ``combined_pt`` only where
    #: ``codes.therapy`` says so for the joined text, otherwise it is refused.
    therapy_separator: str | None = None
    #: ``strip``, ``casefold``, ``leading_zeros`` (removed from numbers): what may be done to ids so that
    #: spellings agree.
    key_normalise: tuple[str, ...] = ()
    #: Column of the schema to the one value that all rows of the file have (``region = "neck"``).
    constants: Mapping[str, str] = field(default_factory=dict)
    #: Column of the schema to the largest number that is kept; larger ones become it (``age_years = 89``).
    top_code: Mapping[str, float] = field(default_factory=dict)
    #: ``{column, values}``, or one for each form with its ``scores``: a column that says whether a form was
    #: filled in, and its values that say so; the scores of other rows are missing.
    answered: tuple[AbsenceSpec, ...] = ()
    #: ``{column, values, scores}``: where ``column`` holds one of ``values``, the scores are missing.
    missing_where: tuple[AbsenceSpec, ...] = ()
    #: ``site`` where the ids of patients, episodes and therapists are told apart only within a site.
    within: str | None = None
    #: As in `ScoreSpec`, for doubts about the whole file. An answer of the form ``within = 'site'`` is that
    #: key, so that all answers to a drafted question may stand in one place.
    confirmed: tuple[str, ...] = ()
    #: ``{column, values}``: the rows that the block reads, and those that it leaves to another block of the
    #: same file, as where one site records a measure on another scale.
    only: tuple[RowsSpec, ...] = ()
    without: tuple[RowsSpec, ...] = ()
    #: Id to the headers whose cells make it together; filled from such lists in ``columns``, which then hold
    #: the first of them.
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def mapped(self) -> tuple[str, ...]:
        """Headers that are read; no other column is ever loaded."""
        headers = [*self.columns.values(), *(header for ids in self.joined.values() for header in ids)]
        for score in self.scores:
            headers += [name for name in (score.column, score.date_column, score.day_column) if name]
            headers += score.items
        headers += [entry.column for entry in self.exclude]
        headers += [entry.column for entry in (*self.only, *self.without)]
        headers += [name for entry in (*self.answered, *self.missing_where) for name in entry.columns]
        return tuple(dict.fromkeys(headers))
