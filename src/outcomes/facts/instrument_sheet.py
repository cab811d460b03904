"""What is known of an instrument, in words: one Markdown sheet an instrument, and one row of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import list_instruments, read_instrument
from outcomes.facts.rule_sheet import describe_rule
from outcomes.facts.scale import OWN, list_scales
from outcomes.facts.schema import read_schema
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.subscale_sheet import complete_variant, tabulate_subscales
from outcomes.facts.threshold import Threshold
from outcomes.facts.wording import read_words


def write_instrument_sheet(id: str) -> str:
    """Write what is known of an instrument as Markdown.

    Parameters
    ----------
    id : str
        Id of the instrument, such as ``"odi"``.

    Returns
    -------
    str
        Range, direction, scoring in words, missing-item policies, variants, scales, bands, thresholds with
        level, population and source, caveats, licence and source; what was not checked is marked so.

    Raises
    ------
    FactsError
        When there is no such instrument.

    Examples
    --------
    >>> print(write_instrument_sheet("odi").splitlines()[0])
    # Oswestry Disability Index (ODI)
    """
    instrument = read_instrument(id)
    sections = {
        "score": _list_points(_describe_score(instrument)),
        "variants": _describe_variants(instrument),
        "value_sets": _tabulate_value_sets(instrument),
        "subscales": tabulate_subscales(instrument),
        "scales": _tabulate_scales(instrument),
        "bands": _tabulate_bands(instrument),
        "classes": _describe_classes(instrument),
        "thresholds": _tabulate_thresholds(instrument),
        "caveats": _list_points(instrument.caveats),
        "origin": _list_points(_describe_origin(instrument)),
    }
    title = _say("title", name=instrument.name, short_name=instrument.short_name)
    parts = [f"# {title}", " ".join(_introduce(instrument))]
    for name, text in sections.items():
        if text:
            parts += [f"## {_say(f'section.{name}')}", text]
    return "\n\n".join(parts) + "\n"


def list_instrument_rows() -> tuple[dict[str, str], ...]:
    """List all instruments, one row each, by domain.

    Returns
    -------
    tuple of dict
        ``domain``, ``id``, ``name``, ``range`` (with unit), ``direction``, ``threshold`` (the default one)
        and ``checked`` (against a public source), as texts; domains in the order of the catalogue of words,
        ids sorted within.
    """
    domains = list(read_words().list("instrument_sheet.domain"))
    instruments = sorted(map(read_instrument, list_instruments()), key=lambda it: domains.index(it.domain))
    return tuple(_make_row(entry) for entry in instruments)


def tabulate_rows(header: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table from a header such as ``"from | to"`` and rows of texts."""
    n_columns = header.count("|") + 1
    lines = [f"| {header} |", f"|{'---|' * n_columns}"]
    lines += [f"| {' | '.join(_escape_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _escape_cell(text: str) -> str:
    return text.replace("|", r"\|")


def _say(key: str, **values: object) -> str:
    return read_words().say(f"instrument_sheet.{key}", **values)


def _list_points(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _say_checked(verified: bool) -> str:
    return _say("checked.yes" if verified else "checked.no")


def _make_row(instrument: Instrument) -> dict[str, str]:
    default = instrument.default_threshold
    return {
        "domain": _say(f"domain.{instrument.domain}"),
        "id": instrument.id,
        "name": instrument.name,
        "range": f"{instrument.minimum:g} to {instrument.maximum:g} {instrument.unit}",
        "direction": _say(f"direction.{instrument.direction}"),
        "threshold": _say_threshold(default, instrument.unit) if default else _say("list.no_threshold"),
        "checked": _say_checked(instrument.verified),
    }


def _introduce(instrument: Instrument) -> Iterator[str]:
    yield _say(
        "lead",
        id=instrument.id,
        domain=_say(f"domain.{instrument.domain}"),
        kind=_say(f"kind.{instrument.kind}"),
        version=instrument.version,
    )
    if instrument.regions:
        labels = read_schema()["episodes"]["region"].labels or {}
        yield _say("regions", regions=", ".join(labels[region] for region in instrument.regions))
    if instrument.recall:
        yield _say("recall", recall=instrument.recall)
    if not instrument.verified:
        yield f"**{_say('unverified')}**"


def _describe_score(instrument: Instrument) -> Iterator[str]:
    rule = instrument.scoring_rule
    yield _say(
        "score.range",
        low=f"{instrument.minimum:g}",
        high=f"{instrument.maximum:g}",
        unit=instrument.unit,
        direction=_say(f"direction.{instrument.direction}"),
    )
    if instrument.step is not None:
        single = rule.rule == "single"
        yield _say("score.step_single" if single else "score.step", step=f"{instrument.step:g}")
    yield from describe_rule(rule)
    if instrument.censored_at is not None:
        yield _say("score.censored", limit=f"{instrument.censored_at:g}", unit=instrument.unit)
    if instrument.aliases:
        yield _say("score.aliases", aliases=", ".join(instrument.aliases))
    coded = [instrument.loinc, *(entry.loinc for entry in instrument.subscales.values())]
    for code, meaning in (pair for codes in coded for pair in codes.items()):
        yield _say("score.loinc", code=code, meaning=meaning)


def _describe_variants(instrument: Instrument) -> str:
    if not instrument.variants or instrument.scoring_rule.value_sets:
        return ""
    groups = [
        _say("variants.group", group=group, names=", ".join(f"`{name}`" for name in names))
        for group, names in instrument.variants.items()
    ]
    lead = _say("variants.lead")
    if instrument.variant_required:
        lead = f"{lead} {_say('variants.each_required')}"
    return f"{lead}\n\n{_list_points(groups)}"


def _tabulate_value_sets(instrument: Instrument) -> str:
    name = instrument.scoring_rule.value_sets
    if name is None:
        return ""
    sets = read_value_sets(name).values()
    rows = [(f"`{entry.id}`", entry.label, entry.source, entry.note) for entry in sets]
    return f"{_say('variants.required')}\n\n{tabulate_rows(_say('value_sets.header'), rows)}"


def _tabulate_scales(instrument: Instrument) -> str:
    if not instrument.scales:
        return ""
    rows = []
    for name, scale in list_scales(instrument).items():
        if name == OWN:
            continue
        offset = f" {'+' if scale.offset > 0 else '-'} {abs(scale.offset):g}" if scale.offset else ""
        values = {"factor": f"{scale.factor:g}", "offset": offset, "per": scale.per or ""}
        rule = _say("scales.per" if scale.per else "scales.rule", **values)
        ends = "" if scale.per else f"{scale.low:g} to {scale.high:g}"
        if scale.by_table or (instrument.variant_required and "sum_from" in instrument.scales[name]):
            rule = _say("scales.table" if scale.by_table else "scales.sum")
            ends = "" if instrument.variant_required else ends
        rows.append((f"`{name}`", scale.meaning, ends, rule))
    lead = _say("scales.required" if instrument.scale_required else "scales.lead")
    return f"{lead}\n\n{tabulate_rows(_say('scales.header'), rows)}"


def _tabulate_bands(instrument: Instrument) -> str:
    tables = [("", instrument.bands)] if instrument.bands else []
    tables += [(id, entry.bands) for id, entry in instrument.subscales.items() if entry.bands]
    if not tables:
        return ""
    texts = []
    for id, bands in tables:
        rows = [
            (
                f"{band['low']:g}",
                _say("bands.below" if band.get("below") else "bands.up_to", high=f"{band['high']:g}"),
                band["label"],
                _say_checked(band.get("verified", True)),
            )
            for band in bands
        ]
        texts += [f"`{id}`:"] if id else []
        texts.append(tabulate_rows(_say("bands.header"), rows))
    return "\n\n".join([*texts, _say("bands.lead")])


def _describe_classes(instrument: Instrument) -> str:
    if not instrument.classes:
        return ""
    points = []
    for entry in instrument.classes:
        least = [
            _say("classes.least", score=score, least=f"{value:g}")
            for score, value in entry["at_least"].items()
        ]
        points.append(_say("classes.entry", label=entry["label"], least=", ".join(least)))
    return f"{_say('classes.lead')}\n\n{_list_points(points)}"


def _tabulate_thresholds(instrument: Instrument) -> str:
    views = [(instrument, "")] if instrument.thresholds else []
    views += [
        (instrument.narrow(complete_variant(instrument, id)), id)
        for id, entry in instrument.subscales.items()
        if entry.thresholds
    ]
    if not views:
        return _say("thresholds.none")
    rows = [_fill_threshold_row(entry, view, id) for view, id in views for entry in view.thresholds]
    defaults = any(view.default_threshold is not None for view, _ in views)
    lead = _say("thresholds.lead" if defaults else "thresholds.no_default")
    return f"{lead}\n\n{tabulate_rows(_say('thresholds.header'), rows)}"


def _fill_threshold_row(threshold: Threshold, instrument: Instrument, subscale: str) -> tuple[str, ...]:
    mark = f" **({_say('thresholds.default')})**" if threshold.default else ""
    who = f"{threshold.population}; {threshold.anchor}" if threshold.anchor else threshold.population
    what = _say_threshold(threshold, instrument.unit)
    return (
        f"`{threshold.id}`{mark}",
        _say(f"thresholds.kind.{threshold.kind}"),
        f"`{subscale}`: {what}" if subscale else what,
        _say(f"thresholds.level.{threshold.level}"),
        who,
        " ".join(_cite(threshold, instrument)),
        _say_checked(threshold.verified),
    )


def _cite(threshold: Threshold, instrument: Instrument) -> Iterator[str]:
    yield f"{threshold.source}." if threshold.note else threshold.source
    if threshold.note:
        yield threshold.note
    error = instrument.find_larger_error(threshold)
    if error is not None:
        yield f"**{_say('thresholds.within_error', error=f'{error:g}', unit=instrument.unit)}**"


def _say_threshold(threshold: Threshold, unit: str) -> str:
    values = {"value": f"{threshold.value:g}", "unit": unit, "comparison": threshold.comparison}
    return _say(f"thresholds.{threshold.rule}", **values)


def _describe_origin(instrument: Instrument) -> Iterator[str]:
    yield _say("origin.licence", licence=instrument.licence)
    yield _say("origin.source", source=instrument.source)
    if instrument.loinc or any(entry.loinc for entry in instrument.subscales.values()):
        yield _say("origin.loinc")
    yield _say("origin.examples", number=len(instrument.examples), id=instrument.id)
