"""`read_records`: from the files of a source to checked records, all problems of a source at once."""

import dataclasses
import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError, RefusedShareError
from outcomes.facts import FileSpec, Source, Text, Value, find_project, read_source
from outcomes.machine.progress import Progress
from outcomes.records.checking import Checking
from outcomes.records.checks.keys import refuse_duplicate_rows
from outcomes.records.codes import ask_codes
from outcomes.records.columns.dates import to_day_number
from outcomes.records.columns.part import blank_absent, build_part
from outcomes.records.coverage import (
    count_records,
    count_score_cells,
    count_unread,
    keep_refused,
    list_unmapped,
    share_rows,
)
from outcomes.records.declaration import check_declaration
from outcomes.records.episodes.links import link_parts
from outcomes.records.files.file_reader import escape_name, read_text_table
from outcomes.records.files.locations import find_root, list_files
from outcomes.records.gate.anonymity import measure_anonymity, report_anonymity
from outcomes.records.gate.inspection import find_identifying, mark_identifying, names_person
from outcomes.records.gate.keyed_ids import rekey_links
from outcomes.records.gate.reviewed_exceptions import ReviewedExceptions, keep_gate_record
from outcomes.records.problems import Problems
from outcomes.records.tables import Records
from outcomes.records.text_table import TextTable


def read_records(
    source: str | Path | Source = "made-up-clinic",
    path: str | Path | None = None,
    *,
    run_date: str | dt.date | None = None,
    private_folder: str | Path = ".outcomes",
    show_progress: bool = False,
) -> Records:
    """Read the files of a source, and return its records: gated, typed, scored and checked.

    Only mapped columns are read. Every source record is either accepted or refused with a reason; refused
    ones are kept with their values in ``private_folder``, and nowhere else.

    Parameters
    ----------
    source : str, Path or Source
        Name of a shipped source or of one in ``data/sources/``, the path of a source TOML, or a `Source`.
    path : str or Path, optional
        File or folder to read; else the folder of the source TOML, ``data/raw/<name>`` or ``data/raw``,
        whichever holds the files.
    run_date : str or date, optional
        The day of this run (ISO); dates after it are refused. Today where absent.
    private_folder : str or Path
        Where refused records and keys are kept; only its owner may enter.
    show_progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Records

    Raises
    ------
    FactsError
        When the source TOML names columns, codes, instruments or time points that do not exist.
    PrivacyError
        When a mapped column may identify people, or too few patients share their traits for the source's
        privacy profile.
    RecordsError
        When a file cannot be read or its structure is wrong, or when what it means is open; all problems
        and questions of all files are listed.
    RefusedShareError
        When more records were refused than the source tolerates.
    """
    if not isinstance(source, Source):
        source = read_source(source)
    check_declaration(source)
    private = find_project() / private_folder
    run_day = to_day_number(_find_run_date(run_date))
    with Progress(show_progress) as progress:
        progress.say("reading files")
        files = list_files(source, path)
        texts = _read_texts(source, files, find_root(source, path))
        progress.say("looking for identifying values")
        suspicions = _gate(source, texts, private)
        texts, left = share_rows(texts)
        progress.say("typing and repairing")
        problems = Problems()
        parts = [build_part(text, spec, source, problems) for spec, text in texts]
        for part in parts:
            blank_absent(part)
        ask_codes(parts, problems)
        problems.findings.extend([*suspicions, *left, *_name_unread_blocks(source, files)])
        sha256 = {text.file: text.sha256 for _, text in texts}
        unmapped = list_unmapped(texts)
        names = {
            escape_name(path.name): text.sha256 for (_, path), (_, text) in zip(files, texts, strict=True)
        }
        del texts
        progress.say("scoring and checking")
        blocks = Counter(part.place.file for part in parts)
        for part in parts:
            refuse_duplicate_rows(part, is_shared=blocks[part.place.file] > 1)
        links = link_parts(parts, problems)
        links = rekey_links(links, source, private) if source.rekey else links
        tables = Checking(parts, links, source, problems, run_day).build_tables()
    if problems.blocking:
        n_asked = sum(finding.outcome == "ask" for finding in problems.blocking)
        n_wrong = len(problems.blocking) - n_asked
        blocked = Text.of("findings.reading.blocked", source=source.name, n_wrong=n_wrong, n_asked=n_asked)
        raise RecordsError(blocked, _order_findings(problems.findings))
    alike = measure_anonymity(tables["episodes"], tables["assessments"], source)
    report = report_anonymity(alike, source, problems.places[0].file if problems.places else None)
    problems.findings.extend([report] if report else [])
    refused = problems.tabulate_refusals()
    n_read, n_refused, n_repeated = count_records(problems, files)
    keep_refused(refused, parts, sha256, source.name, private)
    cells = count_score_cells(parts, refused)
    _refuse_share(source, problems, (n_refused, n_read), cells, len(tables["assessments"]), private)
    return Records(
        source=source,
        **tables,
        refused=refused.drop(columns="record"),
        findings=_order_findings(problems.findings),
        unmapped=unmapped,
        n_read=n_read,
        n_accepted=n_read - n_refused - n_repeated,
        n_refused=n_refused,
        n_repeated=n_repeated,
        fingerprint=_fingerprint(source, names),
        files=names,
        unread=count_unread(source, path, files),
        path=Path(path) if path else None,
    )


def _find_run_date(run_date: str | dt.date | None) -> dt.date:
    if run_date is None:
        return dt.date.today()
    if isinstance(run_date, dt.date):
        return run_date
    try:
        return dt.date.fromisoformat(run_date)
    except ValueError:
        raise FactsError(Text.of("findings.reading.run_date")) from None


def _read_texts(
    source: Source, files: Sequence[tuple[FileSpec, Path]], root: Path | None
) -> list[tuple[FileSpec, TextTable]]:
    """Read every file, gathering the problems of all of them before any is raised."""
    texts, errors = [], []
    sheets: dict[Path, set[str | None]] = defaultdict(set)
    for spec, path in files:
        sheets[path].add(spec.sheet)
    sha256: dict[Path, str] = {}
    for spec, path in files:
        try:
            text = read_text_table(
                path,
                spec,
                root=root,
                check_name=names_person,
                mark_texts=mark_identifying,
                name_sheet=len(sheets[path]) > 1,
            )
            texts.append((spec, text))
        except (RecordsError, PrivacyError) as error:
            errors.append(error)
            continue
        if sha256.setdefault(path, text.sha256) != text.sha256:
            what = Text.of("findings.reading.changed")
            errors.append(RecordsError("", [Finding("SOURCE_CHANGED", "refuse_file", what, text.file)]))
    if errors:
        kind = PrivacyError if any(isinstance(error, PrivacyError) for error in errors) else RecordsError
        findings = [finding for error in errors for finding in error.findings]
        raise kind(Text.of("findings.reading.not_read", source=source.name), findings)
    return texts


def _gate(source: Source, texts: Sequence[tuple[FileSpec, TextTable]], private: Path) -> list[Finding]:
    """Return what the gate only warns of; raise all of it where a mapped column may identify people."""
    exceptions = ReviewedExceptions(source)
    findings = [
        finding for spec, text in texts for finding in find_identifying(text, spec, source, exceptions)
    ]
    findings += exceptions.report()
    if exceptions.entries or exceptions.refused:
        keep_gate_record(exceptions, {text.file: text.sha256 for _, text in texts}, private)
    if any(finding.outcome == "refuse_file" for finding in findings):
        raise PrivacyError(Text.of("findings.reading.identifying", source=source.name), findings)
    return findings


def _name_unread_blocks(source: Source, files: Sequence[tuple[FileSpec, Path]]) -> list[Finding]:
    """Return a finding for each block whose file was not named."""
    read = [id(spec) for spec, _ in files]
    what, remedy = Text.of("findings.BLOCK_NOT_READ.what"), Text.of("findings.BLOCK_NOT_READ.remedy")
    return [
        Finding("BLOCK_NOT_READ", "accept_with_warning", what, spec.path, remedy=remedy)
        for spec in source.files
        if id(spec) not in read
    ]


def _refuse_share(
    source: Source,
    problems: Problems,
    records: tuple[int, int],
    cells: tuple[int, int],
    n_assessments: int,
    private: Path,
) -> None:
    """Refuse a source with too many refused records or scores, or without any score."""
    share = source.max_refused_share
    maps_scores = any(spec.scores or "score" in spec.columns for spec in source.files)
    for kind, (refused, read) in (("records_refused", records), ("scores_refused", cells)):
        if refused > share * read:
            counts: dict[str, Value] = {"n": refused, "n_all": read, "share": f"{share:g}"}
            values = {"source": source.name, "folder": private.name, **counts}
            what = Text(f"findings.reading.{kind}", values)
            break
    else:
        if n_assessments or not records[1] or share >= 1 or not maps_scores:
            return
        n_records, n_cells = records[1], cells[1]
        what = Text.of("findings.reading.no_score", source=source.name, n_records=n_records, n_cells=n_cells)
    raise RefusedShareError(what, _order_findings(problems.findings))


_RANK = {
    "refuse_file": 0,
    "ask": 0,
    "quarantine_patient_pair": 1,
    "quarantine_row": 1,
    "quarantine_cell": 2,
    "answered": 3,
    "accept_with_warning": 3,
}


def _order_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings with the gravest first, each file's in the order in which they were made."""
    return tuple(sorted(findings, key=lambda finding: _RANK.get(finding.outcome, 4)))


def _fingerprint(source: Source, sha256: dict[str, str]) -> str:
    declared = {key: value for key, value in dataclasses.asdict(source).items() if key != "folder"}
    digest = hashlib.sha256(repr(sorted(declared.items())).encode("utf-8"))
    for file, value in sorted(sha256.items()):
        digest.update(f"\n{file} {value}".encode())
    return digest.hexdigest()
