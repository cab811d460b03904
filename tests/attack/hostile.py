"""A clinic whose every text acts: names of sites, labels, notes, files and columns."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pandas as pd

from outcomes.synthetic import write_clinic

_PARTS = ("episodes", "assessments", "sessions", "events")


def write_hostile_clinic(folder: Path, acting: Sequence[str], n_episodes: int = 400) -> Path:
    """Write records and a source whose texts act; return the source's TOML.

    Each text is the name of a site, some are labels, notes, names of files and of columns.
    """
    write_clinic(folder, n_episodes=n_episodes, seed=8)
    episodes = pd.read_csv(folder / "episodes.csv", dtype="str", keep_default_na=False)
    # the gate refuses addresses on the web among values
    sites = [text for text in acting if "example.org" not in text]
    episodes["site"] = [sites[i % len(sites)] for i in range(len(episodes))]
    episodes[f"unmapped {acting[0]}"] = acting[1]
    mapped = f"spine region {acting[1]}"
    episodes = episodes.rename(columns={"region": mapped})
    name = "episodes <img src=x onerror=alert(1)>.csv"
    episodes.to_csv(folder / name, index=False)
    (folder / "episodes.csv").unlink()
    facts = resources.files("outcomes.facts").joinpath("sources", "made-up-clinic.toml")
    source = tomllib.loads(facts.read_text(encoding="utf-8"))
    source |= {
        "name": "hostile", "label": acting[0], "clinic": acting[1], "period": acting[2], "licence": acting[3],
        "citation": acting[4], "caveats": list(acting[:8]),
    }  # fmt: skip
    first = source["file"][0]
    first["path"], first["columns"]["region"] = name, mapped
    first["exclude"][0]["reason"] = acting[5]
    source["therapies"] = {
        "manual_therapy": {"label": acting[6], "short_label": acting[7], "group": "manual"}
    }
    path = folder.parent / "hostile.toml"
    path.write_text(_write_toml(source), encoding="utf-8")
    return path


def _write_toml(values: dict) -> str:
    """Write nested tables as TOML: enough of it for a source."""
    lines: list[str] = []
    tables: list[str] = []
    for key, value in values.items():
        if isinstance(value, dict) and key in ("primary", "therapies"):
            for name, inner in ({"": value} if key == "primary" else value).items():
                tables.append(f"[{key}{'.' + name if name else ''}]")
                tables += [f"{entry} = {_write_value(held)}" for entry, held in inner.items()]
        elif key == "file":
            for entry in value:
                tables.append("[[file]]")
                tables += [
                    f"{name} = {_write_value(held)}" for name, held in entry.items() if not _is_tables(held)
                ]
                for name, held in entry.items():
                    for inner in held if _is_tables(held) else ():
                        tables.append(f"[[file.{name}]]")
                        tables += [f"{column} = {_write_value(value)}" for column, value in inner.items()]
        else:
            lines.append(f"{key} = {_write_value(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _write_value(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(key)} = {_write_value(held)}" for key, held in value.items())
            + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_write_value, value)) + "]"
    return json.dumps(value, ensure_ascii=True) if not hasattr(value, "isoformat") else str(value)
