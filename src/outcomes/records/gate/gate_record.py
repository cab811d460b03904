"""The gate's private record of a source: which exceptions were used, and entries to complete for new ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from outcomes.machine.private_files import open_private_folder, spell_safely, write_private_file
from outcomes.records.gate.reviewed_exceptions import ReviewedExceptions

_LEAD = """\
# Columns of {source} that the gate refused on {day}. Whoever has looked at the values themselves, and can
# vouch that they identify nobody, completes an entry and moves it to {file}. It is void as soon as the values
# change.
"""


def keep_gate_record(exceptions: ReviewedExceptions, sha256: Mapping[str, str], private_folder: Path) -> None:
    """Write what the gate did with the exceptions of a source, and entries for what it refused.

    Fingerprints stand here and in no message: those of a few short values can be guessed.

    Parameters
    ----------
    exceptions : ReviewedExceptions
        After all files were inspected.
    sha256 : mapping
        File name to the fingerprint of its bytes.
    private_folder : Path
        Gets ``gate/<source>.json``, and ``gate/<source>.toml`` where a column was refused.
    """
    folder = open_private_folder(open_private_folder(private_folder) / "gate")
    name = spell_safely(exceptions.source.name)
    record = {
        "source": exceptions.source.name,
        "day": exceptions.today.isoformat(),
        "files": dict(sha256),
        "exceptions": [asdict(entry) | {"state": state} for entry, state in exceptions.list_states()],
        "refused": [{"column": column, "rule": rule} for column, rule, _ in exceptions.refused],
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    write_private_file(folder / f"{name}.json", text.encode("utf-8"))
    entries = folder / f"{name}.toml"
    if not exceptions.refused:
        entries.unlink(missing_ok=True)
        return
    lead = _LEAD.format(source=exceptions.source.name, day=exceptions.today, file=exceptions.file)
    blocks = [
        "\n".join(
            [
                "[[exception]]",
                f"column = {json.dumps(column, ensure_ascii=False)}",
                f"rule = {json.dumps(rule)}",
                f'sha256 = "{fingerprint}"',
                'reason = ""    # why these values identify nobody',
                'reviewer = ""  # who looked at them',
                f'reviewed = "{exceptions.today}"',
                'expires = ""   # a day within a year of the review',
            ]
        )
        for column, rule, fingerprint in exceptions.refused
    ]
    write_private_file(entries, "\n\n".join([lead.rstrip(), *blocks, ""]).encode("utf-8"))
