"""The ``[[file.scores]]`` blocks of a draft: where a score stands, of when it is, and how it is recorded."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from outcomes.drafting.column import SheetColumn, find_letter, find_unit, list_numbers
from outcomes.drafting.question import OpenQuestion, ask, quote_value, say
from outcomes.drafting.role import Role
from outcomes.drafting.sketch import Sketch
from outcomes.facts import list_instruments, read_facts, read_instrument
from outcomes.records.scale_evidence import judge_scale


@dataclass(frozen=True)
class OwnMeasure:
    """A measure of the clinic's own, and whether it was asked at the start; a rating of change is not."""

    id: str
    label: str
    at_start: bool


def draft_scores(sketch: Sketch) -> tuple[list[dict[str, Any]], list[OwnMeasure]]:
    """Return one ``[[file.scores]]`` block per score, items of one questionnaire taken together."""
    unknown = _name_unknown(sketch)
    named = {role.name for _, role in sketch.scores if role.name and role.variant}
    alone = named & {role.name for _, role in sketch.scores if role.name and not role.variant}
    groups: dict[tuple[Any, ...], list[tuple[SheetColumn, Role]]] = {}
    for column, role in sketch.scores:
        measure = role.name or unknown.get(role.label) or column.header
        when = (role.moment.timepoint or role.moment.label) if role.moment else None
        groups.setdefault((measure, when, role.variant, role.doubt), []).append((column, role))
    blocks = [
        _describe_block(sketch, members, measure.id if isinstance(measure, OwnMeasure) else None, alone)
        for (measure, *_), members in groups.items()
    ]
    return blocks, list(dict.fromkeys(unknown.values()))


def _name_unknown(sketch: Sketch) -> dict[str, OwnMeasure]:
    """Return the measures that only a header names, by its words, each with an id of its own."""
    found: dict[str, OwnMeasure] = {}
    long = not any(role.moment for _, role in sketch.scores)
    started = {role.label for _, role in sketch.scores if long or role.timepoint == "baseline"}
    for _, role in sketch.scores:
        if role.name is None and role.label and role.label not in found:
            slug = "_".join(re.findall(r"[a-z0-9]+", role.label)) or f"own_measure_{len(found) + 1}"
            slug = slug if slug[0].isalpha() else f"m_{slug}"
            taken = {*list_instruments(), *(measure.id for measure in found.values())}
            slug = f"own_{slug}" if slug in taken else slug
            found[role.label] = OwnMeasure(slug, role.label, role.label in started)
    return found


def _describe_block(
    sketch: Sketch, members: list[tuple[SheetColumn, Role]], own: str | None, alone: set[str]
) -> dict[str, Any]:
    """Return the block of one score; ``alone`` are instruments of which only some scores name a variant."""
    role = members[0][1]
    block: dict[str, Any] = {"instrument": own or _name_instrument(role)}
    block |= {"variant": role.variant} if role.variant else _describe_variant(role, alone)
    if sketch.rows == "episode" or role.moment:
        said: dict[str, Any] = {"said": role.moment.label} if role.moment else {}
        asked = ask(f"timepoint_{'named' if said else 'open'}", sketch.timepoint_choices, **said)
        block["timepoint"] = role.timepoint or asked
    items = {role.item: column for column, role in members if role.item is not None}
    totals = [column for column, role in members if role.item is None]
    if totals:
        headers = [column.header for column in totals]
        same = all(column.cells == totals[0].cells for column in totals)
        block["column"] = headers[0] if same else ask("rival_scores", headers, n=len(headers))
        block |= _describe_scale(sketch, next(role for _, role in members if role.item is None))
    if items:
        block["items"] = [items[number].header for number in sorted(items)]
        block |= _describe_items(list(items.values()), role)
    if role.holds:
        block["holds"] = ask("holds", ("improvement", "change", "score"))
    block |= _find_date_column(sketch, role)
    return block


def _name_instrument(role: Role) -> str:
    if role.name is None:
        return ask("instrument", list_instruments(), may_go=True)
    if role.doubt:
        short = read_instrument(role.name).short_name
        return ask("instrument_doubt", (role.name,), may_go=True, instrument=short, words=role.doubt)
    return role.name


def _describe_scale(sketch: Sketch, role: Role) -> dict[str, str]:
    """Return how a measure is recorded, where headers or values leave no doubt, else a question in counts."""
    if role.name is None or role.holds:
        return {}
    instrument = read_instrument(f"{role.name}:{role.variant or ''}")
    name = instrument.short_name
    if instrument.scale_required:
        told = "; ".join(f"{scale} ({it['meaning']})" for scale, it in instrument.scales.items())
        return {"scale": ask("scale_required", instrument.scales, instrument=name, told=told)}
    alike = [
        column
        for column, other in sketch.scores
        if (other.name, other.variant, other.item, other.holds) == (role.name, role.variant, None, None)
    ]
    values = Counter(number for column in alike for number in list_numbers(column.filled))
    units = Counter(unit for column in alike for cell in column.filled if (unit := find_unit(cell)))
    headers = [column.header for column in alike]
    evidence = judge_scale(instrument, list(values), list(values.values()), headers=headers, units=units)
    outside = sum(n for value, n in values.items() if not instrument.minimum <= value <= instrument.maximum)
    if evidence.suspected is None and 2 * outside > sum(values.values()):
        low, high = f"{instrument.minimum:g}", f"{instrument.maximum:g}"
        return {"scale": ask("scale_outside", (*instrument.scales, "own"), minimum=low, maximum=high)}
    if evidence.suspected is None or "per" in instrument.scales.get(evidence.suspected, {}):
        return {}
    if evidence.certain:
        return {"scale": evidence.suspected}
    told = "; ".join(f"{scale} ({meaning})" for scale, meaning in evidence.readings.items())
    why = "; ".join(map(str, evidence.why))
    return {"scale": ask("scale", evidence.readings, instrument=name, why=why, told=told)}


def _describe_items(items: list[SheetColumn], role: Role) -> dict[str, Any]:
    """Return what the letters of answers are worth, the first being the item's lowest value."""
    letters = {find_letter(cell) for column in items for cell in column.filled} - {""}
    if role.name is None or not letters or read_instrument(role.name).scoring_rule.list_letters(1):
        return {}
    rule = read_instrument(role.name).scoring
    low, high, step = rule.get("item_minimum", 0), rule.get("item_maximum", 0), rule.get("item_step", 1)
    values = range(int(low), int(high) + 1, int(step))
    return {"item_codes": {chr(ord("A") + place): value for place, value in enumerate(values)}}


def _describe_variant(role: Role, alone: set[str]) -> dict[str, OpenQuestion]:
    """Return a question about the variant where an instrument, or its other scores, need one."""
    if role.name is None:
        return {}
    instrument = read_instrument(role.name)
    if not instrument.variant_required and role.name not in alone:
        return {}
    names = list(instrument.variants.values())
    told = say("answers.variants").join(", ".join(group) for group in names)
    if not instrument.variant_required:
        answers = [name for group in names for name in group]
    elif len(names) == 1:
        answers = list(names[0])
    else:  # one of each group
        answers = ["-".join(group[0] for group in names)]
    kind = "value_set" if instrument.scoring_rule.value_sets else "variant"
    return {"variant": ask(kind, answers, instrument=instrument.short_name, told=told)}


def _find_date_column(sketch: Sketch, score: Role) -> dict[str, str]:
    """Return the date column of a score's time point, the one that names its instrument before others."""
    dates = [
        (column, role)
        for column, role in sketch.pairs
        if role.kind == "score_date" and role.moment == score.moment and role.name in (None, score.name)
    ]
    dates.sort(key=lambda pair: pair[1].name is None)
    return {"date_column": dates[0][0].header} if dates and sketch.rows == "episode" else {}


def draft_instrument(measure: OwnMeasure) -> tuple[str, list[OpenQuestion]]:
    """Return the instrument file of a measure of the clinic's own, and what it asks."""
    domain = "function" if measure.at_start else read_facts("cohort")["domains_without_baseline"][0]
    label = measure.label.replace('"', "'").replace("\\", " ")
    asked = {
        "minimum": ask("own_minimum"),
        "maximum": ask("own_maximum"),
        "direction": ask("own_direction", ("higher_worse", "higher_better")),
    }
    content = {
        "id": measure.id,
        "name": label,
        "short_name": label,
        "version": say("labels.as_recorded"),
        "kind": "prom",
        "domain": domain,
        "unit": "points",
        **asked,
        "licence": "unknown",
        "source": say("labels.recorded_here"),
    }
    lines = [f"{key} = {quote_value(value)}" for key, value in content.items()]
    text = "\n".join([*lines, "verified = false", "", "[scoring]", 'rule = "single"', ""])
    return text, list(asked.values())
