"""The scores of a form that has several, as a table."""

from __future__ import annotations

from outcomes.facts.instrument import Instrument
from outcomes.facts.scoring_rule import ScoringRule
from outcomes.facts.toml import has_table
from outcomes.facts.wording import read_words


def tabulate_subscales(instrument: Instrument) -> str:
    """Return a Markdown table of an instrument's subscales; empty where it has none."""
    if not instrument.subscales:
        return ""
    header = _say("header")
    rows = [f"| {' | '.join(_fill_row(instrument, id))} |" for id in instrument.subscales]
    table = "\n".join([f"| {header} |", f"|{'---|' * (header.count('|') + 1)}", *rows])
    return f"{_say('required' if instrument.variant_required else 'lead')}\n\n{table}"


def complete_variant(instrument: Instrument, subscale: str) -> str:
    """Return a whole variant of a subscale, where other groups must be named too."""
    others = [names[0] for group, names in instrument.variants.items() if group != "score"]
    return "-".join([subscale, *(others if instrument.variant_required else [])])


def _say(key: str, **values: object) -> str:
    return read_words().say(f"instrument_sheet.subscales.{key}", **values)


def _fill_row(instrument: Instrument, id: str) -> tuple[str, ...]:
    view = instrument.narrow(complete_variant(instrument, id))
    rule = view.scoring_rule
    return (
        f"`{id}`",
        instrument.subscales[id].name,
        _list_numbers(rule.form_items),
        _say_rule(rule),
        f"{view.minimum:g} to {view.maximum:g} {view.unit}",
        read_words().say(f"instrument_sheet.direction.{view.direction}"),
        f"`{rule.missing}`",
    )


def _say_rule(rule: ScoringRule) -> str:
    if rule.rule != "lookup":
        return _say(f"rule.{rule.rule}")
    return _say(
        "rule.lookup" if has_table(f"conversions/{rule.table}") else "rule.own_table", table=rule.table
    )


def _list_numbers(numbers: tuple[int, ...]) -> str:
    """Return item numbers in words, runs joined.

    Examples
    --------
    >>> _list_numbers((1, 2, 3, 7))
    '1-3, 7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
