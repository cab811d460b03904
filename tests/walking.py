"""Walking a spreadsheet through the README's ten minutes: draft, answers, `check`, records, a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from outcomes.cli import main
from outcomes.drafting import Draft, draft_source
from outcomes.drafting.question import OpenQuestion
from outcomes.errors import RecordsError, RefusedShareError
from outcomes.records import Records, read_records
from outcomes.reports import run_report

TIMES = ("baseline", "week_6", "month_3")
#: Pattern of a line with a question, or of the question, to its answer; the first that matches counts.
USUAL = (
    (r"^label = ", "A made-up clinic"),
    (r"^instrument = .*the main outcome", "odi"),
    (r"^timepoint = .*counts most", "week_6"),
    (r"^reference = ", "usual_care"),
    (r"^(odi|ndi) = .*other regions", "keep"),
    (r"^encoding = ", None),
    (r"^minimum = ", "0"),
    (r"^maximum = ", "10"),
    (r"^(exercise|ex|Ex|\"?Exercise[^=]*) = .*which therapy", "strengthening"),
    (r"\"?(usual|Just usual|GP)[^=]* = .*which therapy", "usual_care"),
    (r"which therapy", "modalities"),
    (r"several therapies in one cell", "combined_pt"),
)


@dataclass(frozen=True)
class Walk:
    """One file from draft to records."""

    draft: Draft
    source: Path
    path: Path
    n_lines: int
    records: Records = field(repr=False)

    @property
    def scores(self) -> pd.DataFrame:
        """Return the scores, one row per episode, one column per measure and time."""
        table = self.records.assessments
        name = table["instrument"].astype(str) + table["variant"].astype("object").map(
            lambda variant: "" if pd.isna(variant) else f":{variant}"
        )
        wide = table.assign(name=name).pivot_table(
            index="episode_id", columns=["name", "timepoint"], values="score", observed=True
        )
        return wide


def settle_answer(line: str, asked: OpenQuestion, answers: Sequence[tuple[str, str | None]]) -> str | None:
    """Return the answer to a question: by its line, else the first that it allows; "" deletes the line."""
    for pattern, answer in (*answers, *USUAL):
        if re.search(pattern, line):
            return answer if answer is not None else asked.answers[0]
    assert asked.answers or asked.may_go, f"nothing answers: {line}"
    return asked.answers[0] if asked.answers else ""


def fill_answers(
    text: str, questions: Sequence[OpenQuestion], choose: Callable[[str, OpenQuestion], str | None]
) -> tuple[str, int]:
    """Put an answer in the place of every question; returns the lines that were written by hand, too."""
    lines, n = text.splitlines(), 0
    for asked in questions:
        quoted = json.dumps(str(asked), ensure_ascii=False)
        place = next((i for i, line in enumerate(lines) if quoted in line), None)
        if place is None:
            continue
        answer = choose(lines[place], asked)
        n += 1
        lines[place] = lines[place].replace(quoted, json.dumps(answer, ensure_ascii=False)) if answer else "#"
    return "\n".join(lines) + "\n", n


def write_sources(
    draft: Draft, choose: Callable[[str, OpenQuestion], str | None], folder: Path
) -> tuple[Path, int]:
    source = folder / "data" / "sources" / f"{draft.name}.toml"
    files = {source: draft.text}
    files |= {folder / "data" / "instruments" / f"{id}.toml": text for id, text in draft.instruments.items()}
    n_lines = 0
    for place, text in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        filled, n = fill_answers(text, draft.questions, choose)
        place.write_text(filled, encoding="utf-8")
        n_lines += n
    return source, n_lines


def walk_file(path: Path, answers: Sequence[tuple[str, str | None]], folder: Path) -> Walk:
    """Walk a file through the README's steps as far as its records; the folder is the current one."""
    draft = draft_source(path)
    source, n_lines = write_sources(draft, lambda line, asked: settle_answer(line, asked, answers), folder)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--source", draft.name, "--path", str(path)])
    assert not ended.value.code, f"{path.name} does not pass check"
    print(f"{path.name}: {n_lines} lines by hand, {draft.n_questions} questions")
    assert n_lines <= draft.n_questions
    records = read_records(source, path, private_folder=folder / "private")
    assert records.n_read == records.n_accepted + records.n_refused + records.n_repeated
    return Walk(draft, source, path, n_lines, records)


def make_page(found: Walk, folder: Path) -> str:
    """Make the team's page of a walked file and return it."""
    report = run_report(
        "therapy_comparison", {"audience": "team"}, source=found.source, path=found.path,
        out=folder / "html", private_folder=folder / "private",
    )  # fmt: skip
    return report.page.read_text(encoding="utf-8")


def try_every_answer(
    draft: Draft, path: Path, answers: Sequence[tuple[str, str | None]], folder: Path, most: int = 20
) -> int:
    """Read a file by its draft once for every answer to every question, the others answered as usual."""
    n = 0
    for asked in dict.fromkeys(draft.questions):
        choices = [*asked.answers[:most], *([""] if asked.may_go else [])]
        for choice in choices if len(choices) > 1 else ():

            def choose(
                line: str, other: OpenQuestion, asked: OpenQuestion = asked, choice: str = choice
            ) -> str | None:
                told = choice if other == asked else settle_answer(line, other, answers)
                return told

            source, _ = write_sources(draft, choose, folder)
            if _is_contradictory(source.read_text(encoding="utf-8")):
                continue
            n += 1
            try:
                read_records(source, path, private_folder=folder / "private")
            except RecordsError as error:
                # Where numbers or dates contradict the answer, reading asks again or refuses them.
                assert re.search(r"scale|day-first|time point|change", str(asked)), asked
                asks = all(finding.outcome != "refuse_file" for finding in error.findings)
                assert asks or isinstance(error, RefusedShareError), error
    return n


def _is_contradictory(text: str) -> bool:
    """Whether two occasions of a file were answered to be one time point."""
    part = re.search(r"\[file\.codes\.timepoint\]\n((?:.+\n)+)", text)
    values = re.findall(r'= "(\w+)"', part[1]) if part else []
    return len(values) > len(set(values))
