"""`Records`: checked treatment records, with every refused one counted and kept; `Absence`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pandas as pd

from outcomes.errors import Finding
from outcomes.facts import Source, Text, list_sources


class Absence(StrEnum):
    """Why a page has nothing of something."""

    #: Its column is read, or every column is, and no patient has a value.
    NOT_RECORDED = "not_recorded"
    #: The source maps no column to it, and leaves columns unread that may hold it.
    NOT_READ = "not_read"
    #: The measure is for complaints of another part of the body.
    NOT_ASKED = "not_asked"
    #: The question leaves it out: by the therapies it names, or by a filter.
    NOT_CHOSEN = "not_chosen"


@dataclass(frozen=True, eq=False)
class Records:
    """Records of a source; every row passed the checks.

    Parameters
    ----------
    source : Source
        Where they come from.
    episodes, assessments, sessions, events : pandas.DataFrame
        One row per episode; per assessment (episode x day or time-point label x instrument and
        variant); per session; per event. Columns as in ``facts/schema.toml``, all of them present;
        ids and categories are text (categorical), days nullable integers, scores floats. A
        ``start_date`` is a date; other dates are already days after time zero.
    refused : pandas.DataFrame
        Private: one row per refused record or cell, with ``file, line, column, rule, reason, scope``
        (``record`` or ``cell``). Holds no values.
    findings : tuple of Finding
        All that was refused, repaired or accepted with a warning.
    unmapped : mapping
        File name to the headers that were not read.
    n_read, n_accepted, n_refused : int
        Source records, each row of a file once however many blocks read it;
        ``n_read == n_accepted + n_repeated + n_refused``. A refused cell refuses no record.
    fingerprint : str
        SHA-256 over the bytes of all files read and the source TOML's content.
    files : mapping
        Name of each file read to the SHA-256 of its bytes.
    n_repeated : int
        Source records that say again what another one says, such as those of overlapping exports; what they
        add to it is read.
    path : Path, optional
        File or folder that was named to be read; None where the source says where its files are.
    unread : mapping
        Sheets of the files, and files in their folder, that no block reads, to the number of their rows; None
        where it was not counted.
    """

    source: Source
    episodes: pd.DataFrame = field(repr=False)
    assessments: pd.DataFrame = field(repr=False)
    sessions: pd.DataFrame = field(repr=False)
    events: pd.DataFrame = field(repr=False)
    refused: pd.DataFrame = field(repr=False)
    findings: tuple[Finding, ...] = field(repr=False)
    unmapped: Mapping[str, tuple[str, ...]]
    n_read: int
    n_accepted: int
    n_refused: int
    fingerprint: str
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    path: Path | None = None
    n_repeated: int = 0
    unread: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """What `read_records` takes as its source to read them again: a name, or the path of a TOML."""
        if self.source.folder is None or self.source.name in list_sources():
            return self.source.name
        return (self.source.folder / f"{self.source.name}.toml").as_posix()

    def __post_init__(self) -> None:
        """Hold the sum that nothing may be lost."""
        if self.n_read != self.n_accepted + self.n_repeated + self.n_refused:
            raise ValueError("records read are not the sum of those accepted, repeated and refused")

    def list_said(self, *instruments: str) -> tuple[Text | str, ...]:
        """Return what pages about these instruments, or all, say of how records were read, each once."""
        told = (entry.said for entry in self._pick(instruments))
        return tuple(dict.fromkeys(said for said in told if said))

    def list_answered(self, *instruments: str) -> tuple[Text | str, ...]:
        """Return for the team what the source decided, for instruments or for all."""
        told = [entry for entry in self._pick(instruments) if entry.outcome == "answered"]
        of_column = "findings.of_column"
        return tuple(
            dict.fromkeys(
                Text.of(of_column, column=entry.column, what=entry.what)
                if entry.column and entry.measure is None
                else entry.what
                for entry in told
            )
        )

    def _pick(self, instruments: tuple[str, ...]) -> Iterator[Finding]:
        wanted = (None, *instruments) if instruments else None
        return (entry for entry in self.findings if wanted is None or entry.measure in wanted)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the assessments with their episodes' columns, one row per assessment."""
        return self.assessments.merge(self.episodes, on="episode_id", how="left", validate="many_to_one")

    def _counts(self) -> list[tuple[str, int]]:
        return [
            ("source records read", self.n_read),
            ("accepted", self.n_accepted),
            ("repeated", self.n_repeated),
            ("refused", self.n_refused),
            ("patients", self.episodes["patient_id"].nunique()),
            ("episodes", len(self.episodes)),
            ("assessments", len(self.assessments)),
            ("sessions", len(self.sessions)),
            ("events", len(self.events)),
        ]

    def __repr__(self) -> str:
        """Return counts, never rows."""
        counts = ", ".join(f"{count} {name}" for name, count in self._counts())
        return f"Records({self.source.name!r}: {counts})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{count}</td></tr>" for name, count in self._counts())
        return f"<table>{rows}</table>"
