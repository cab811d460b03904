"""What is known of an instrument, in words: one Markdown sheet an instrument, and one row of a list."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from outcomes.facts.instrument import Instrument, Subscale, Threshold
from outcomes.facts.instrument_file import list_instruments, read_instrument
from outcomes.facts.scale import OWN, list_scales
from outcomes.facts.schema import read_schema
from outcomes.facts.scoring_rule import read_policies, read_value_sets
from outcomes.facts.toml import has_table
from outcomes.facts.wording import read_words

if TYPE_CHECKING:
    import jinja2


def write_instrument_sheet(id: str) -> str:
    """Return what is known of an instrument as Markdown, by the template ``instrument_sheet.md.jinja``.

    >>> print(write_instrument_sheet("odi").splitlines()[0])
    # Oswestry Disability Index (ODI)
    """
    it = read_instrument(id)
    parts: dict[str, Instrument | Subscale] = {"": it, **it.subscales}
    # a whole variant names one of each group, where groups beside the subscales are needed
    others = [names[0] for group, names in it.variants.items() if group != "score" and it.variant_required]
    views = {name: it.narrow("-".join([name, *others])) if name else it for name in parts}
    regions = read_schema()["episodes"]["region"].labels or {}
    value_sets = it.scoring_rule.value_sets
    sheet = _read_template().render(
        it=it,
        parts=parts,
        views=views,
        cited={name: views[name] for name, part in parts.items() if part.thresholds},
        codes=[pair for part in parts.values() for pair in part.loinc.items()],
        regions=[regions[region] for region in it.regions],
        scales=list_scales(it),
        value_sets=read_value_sets(value_sets) if value_sets else {},
    )
    return re.sub(r"\n{3,}", "\n\n", sheet).strip() + "\n"


def list_instrument_rows() -> tuple[dict[str, str], ...]:
    """Return all instruments as rows of texts, by domain (in the catalogue's order), ids sorted within."""
    domains = list(read_words().list("instrument_sheet.domain"))
    instruments = sorted(map(read_instrument, list_instruments()), key=lambda it: domains.index(it.domain))
    return tuple(_make_row(entry) for entry in instruments)


def tabulate_rows(header: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table from a header such as ``"from | to"`` and rows of texts."""
    lines = [f"| {header} |", f"|{'---|' * (header.count('|') + 1)}"]
    for row in rows:
        cells = " | ".join(cell.replace("|", r"\|") for cell in row)
        lines.append(f"| {cells} |")
    return "\n".join(lines)


@cache
def _read_template() -> "jinja2.Template":
    from jinja2 import Environment, StrictUndefined  # takes longer to load than most commands run

    blocks: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "extensions": ["jinja2.ext.do"]}
    environment = Environment(undefined=StrictUndefined, autoescape=False, **blocks)
    environment.filters |= {
        "exact": lambda number: f"{number:.15g}",
        "g": _write_number,
        "in_a_row": lambda text: " ".join(_list_lines(text)),
        "points": lambda text: "\n".join(f"- {line}" for line in _list_lines(text)),
    }
    environment.globals |= {
        "g": _write_number,
        "has_table": lambda name: has_table(f"conversions/{name}"),
        "in_runs": _list_in_runs,
        "own_scale": OWN,
        "policies": read_policies(),
        "say": _say,
        "say_threshold": _say_threshold,
    }
    place = resources.files("outcomes.facts").joinpath("instrument_sheet.md.jinja")
    return environment.from_string(place.read_text(encoding="utf-8"))


def _say(key: str, **values: object) -> str:
    return read_words().say(f"instrument_sheet.{key}", **values)


def _write_number(number: float) -> str:
    return f"{number:g}"


def _list_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _make_row(instrument: Instrument) -> dict[str, str]:
    default = instrument.default_threshold
    return {
        "domain": _say(f"domain.{instrument.domain}"),
        "id": instrument.id,
        "name": instrument.name,
        "range": f"{instrument.minimum:g} to {instrument.maximum:g} {instrument.unit}",
        "direction": _say(f"direction.{instrument.direction}"),
        "threshold": _say_threshold(default, instrument.unit) if default else _say("list.no_threshold"),
        "checked": _say("checked.yes" if instrument.verified else "checked.no"),
    }


def _say_threshold(threshold: Threshold, unit: str) -> str:
    value, comparison = _write_number(threshold.value), threshold.comparison
    return _say(f"thresholds.{threshold.rule}", value=value, unit=unit, comparison=comparison)


def _list_in_runs(numbers: tuple[int, ...]) -> str:
    """Return item numbers in words, runs joined.

    >>> _list_in_runs((1, 2, 3, 7))
    '1-3, 7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
