"""All outcome domains of a release at a glance: what it holds, the answer in words, the table, the figure.

The figure has one axis: each measure's improvement as a percentage of its range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Words, read_facts, read_instrument
from outcomes.result import ALL
from outcomes.views.claims import Truth, all_of, deny, is_negative, is_positive
from outcomes.views.figure import (
    apply_style,
    cut_label,
    draw_mark,
    list_marks_by_row,
    measure_text,
    open_figure,
    pick_look,
    place_axes,
    read_style,
    write_small,
)
from outcomes.views.labels import Labels, capitalise, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    explain_mark,
    list_merged,
    list_rows,
    say_cautions,
    say_detail,
    write_ends,
    write_interval,
)
from outcomes.views.table import TableColumn, TableLine, build_table_view, show_interval, show_size
from outcomes.views.view import View, build_empty_view, build_figure_view, build_sentence, made_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_domains", "say_profile", "tabulate_domains"]

BASELINE = "baseline"
_MEANS = ("mean_score", "mean_expected", "mean_improvement")


@dataclass(frozen=True)
class DomainMeasure:
    """One outcome measure of a release."""

    domain: str
    outcome: str
    #: Those of the release, with this measure's instrument.
    labels: Labels
    #: Group, statistic and time point to the row.
    cells: dict[tuple[str, str, str], Any]

    @property
    def improves(self) -> bool:
        """Whether improvement is defined for it: it has a direction and a score at the start."""
        return any(statistic == "mean_improvement" for _, statistic, _ in self.cells)

    @property
    def later(self) -> str:
        """The statistic of a later score: of all who began, or of those seen where it is not asked then."""
        expected = any(statistic == "mean_expected" for _, statistic, _ in self.cells)
        return "mean_expected" if expected else "mean_score"

    @property
    def name(self) -> str:
        """The measure with its range, or with its unit; one without improvement says which end is better."""
        labels = self.labels
        if not self.improves:
            return labels.words.say("views.domains.rating", measure=labels.axis)
        return labels.scale if labels.instrument.unit == "points" else f"{labels.measure}, {labels.unit}"

    @property
    def full_name(self) -> str:
        """Domain and measure, such as ``Pain: NPRS (average), 0–10``."""
        return f"{capitalise(say_domain(self.domain, self.labels.words))}: {self.name}"


def list_measures(release: Release, labels: Labels) -> list[DomainMeasure]:
    """Return the measures of a release in the order of its rows."""
    held = release.where(statistic=_MEANS).table
    measures = []
    for outcome, rows in held.groupby("outcome", sort=False):
        variant = str(outcome).partition(":")[2] or None
        own = replace(labels, instrument=read_instrument(str(outcome)), variant=variant)
        cells = {(row.group, row.statistic, row.timepoint): row for row in list_rows(rows)}
        measures.append(DomainMeasure(str(rows["level"].iloc[0]), str(outcome), own, cells))
    return measures


def pick_groups(release: Release, labels: Labels) -> list[str]:
    """Return the therapies; everybody instead where none of them is shown."""
    held = release.where(statistic=_MEANS).table
    own = labels.order(group for group in held["group"] if group != ALL)
    shown = set(held.loc[held["shown"], "group"])
    return own if not own or shown & set(own) or ALL not in shown else [ALL]


def pick_later(release: Release) -> str:
    """Return the follow-up that the release is about."""
    times = release.table["timepoint"].dropna()
    later = [str(time) for time in times if time != BASELINE]
    return later[0] if later else BASELINE


def say_domain(domain: str, words: Words) -> str:
    """Return how a domain is called."""
    return words.say(f"views.domain.{domain}")


def list_unmeasured(release: Release, groups: list[str]) -> Iterator[str]:
    """Yield a sentence for each reason why domains have no numbers: absent, and how, or not yet analysed."""
    words = release.words
    group = groups[0] if len(groups) == 1 else ALL
    held = {row.term: row for row in list_rows(release.where(statistic="n_recorded", group=group).table)}
    named: dict[str, list[str]] = {
        key: [] for key in ("not_recorded", "not_read", "not_asked", "not_analysed", "not_analysed_few")
    }
    for entry in read_facts("domains")["domain"]:
        row = held.get(entry["id"])
        if row is not None:
            key = "not_analysed" if row.shown else "not_analysed_few"
            key = str(row.level) if row.shown and row.estimate == 0 else key
            named[key].append(say_domain(entry["id"], words))
    for key, domains in named.items():
        if domains:
            yield words.say(f"views.domains.{key}", domains="; ".join(domains))


@made_from("domains")
def say_profile(domains: Release) -> View:
    """Say in which domains patients got better, where nothing is clear, and what is not recorded.

    Of several therapies it is only said that they are set out.
    """
    words, labels = domains.words, read_labels(domains)
    groups, measures = pick_groups(domains, labels), list_measures(domains, labels)
    if not groups or not measures:
        texts = [explain_absence(domains)]
    elif len(groups) > 1:
        time = labels.time(pick_later(domains))
        texts = [words.say("views.domains.lead_several", time=time, n=len(measures))]
    else:
        texts = _say_measures(measures, groups[0], domains)
    texts += [text for text in (say_detail(domains), *list_unmeasured(domains, groups)) if text]
    pain = any(measure.domain == "pain" for measure in measures)
    texts.append(words.say(f"sentences.caution_{'pain' if pain else 'other'}"))
    marked = explain_mark(domains.table, words, " ".join(texts))
    return build_sentence("profile", domains, [*texts, say_cautions(domains), marked])


def _say_measures(measures: list[DomainMeasure], group: str, domains: Release) -> list[str]:
    labels, words, later = measures[0].labels, domains.words, pick_later(domains)
    found: dict[str, list[str]] = {"better": [], "unclear": [], "worse": [], "withheld": []}
    none_better: list[Truth] = []
    for measure in measures:
        row = measure.cells.get((group, "mean_improvement", later))
        if measure.improves:
            none_better.append(deny(is_positive(row, domains)))
            key = _read_change(row, domains) or "withheld"
            key = "withheld" if key == "unclear" and is_positive(row, domains) is None else key
            name = f"{say_domain(measure.domain, words)} ({measure.labels.measure})"
            clear = key in ("better", "worse")
            found[key].append(_say_change(measure, row, domains) if clear else name)
    everybody = group == ALL or EVERY in list_merged(domains)
    therapy = words.say("views.domains.everybody") if everybody else labels.name(group)
    named = {key: words.join(domains) for key, domains in found.items() if domains}
    place = {"time": labels.time(later), "therapy": therapy}
    lead = "lead" if found["better"] else "lead_none" if all_of(none_better) else "lead_shown"
    return [
        words.say(f"views.domains.{lead}", **place, domains=named.pop("better", "")),
        *(words.say(f"views.domains.{key}_in", domains=domains) for key, domains in named.items()),
    ]


def _read_change(row: Any, domains: Release) -> str:
    """Return how an improvement reads by its own interval; empty where that is not told, or undecided."""
    better, worse = is_positive(row, domains, marked=True), is_negative(row, domains, marked=True)
    if better or worse:
        return "better" if better else "worse"
    return "unclear" if (better, worse) == (False, False) else ""


def _say_change(measure: DomainMeasure, row: Any, domains: Release) -> str:
    low, high = write_ends(row, domains)
    place = {"domain": say_domain(measure.domain, domains.words), "measure": measure.labels.measure}
    told = {"number": row.display, "unit": measure.labels.unit, "low": low, "high": high}
    return domains.words.say("views.domains.in_domain", **place, **told)


@made_from("domains")
def tabulate_domains(domains: Release) -> View:
    """Tabulate every outcome domain at one time point.

    One therapy: start, follow-up, improvement and how it reads, one row a measure. A few therapies: the
    improvement under each, one column a therapy; many: one row a measure and therapy. The caption names the
    domains that were not recorded or are not yet analysed.
    """
    labels, words, later = read_labels(domains), domains.words, pick_later(domains)
    groups, measures = pick_groups(domains, labels), list_measures(domains, labels)
    if not groups or not measures:
        return build_empty_view("domains", "table", domains)
    if 1 < len(groups) <= read_facts("appearance")["labels"]["most_columns"]:
        columns = {group: show_interval(labels.title(group)) for group in groups}
        lines = []
        for measure in measures:  # one without improvement is compared by its mean
            statistic = "mean_improvement" if measure.improves else measure.later
            cells = {group: measure.cells.get((group, statistic, later)) for group in groups}
            block = capitalise(say_domain(measure.domain, words))
            lines.append(TableLine(measure.name, cells, block))
    else:
        columns = {
            "n": show_size(words.say("views.table.patients")),
            "start": TableColumn(words.say("views.domains.start"), ("mean_score", BASELINE)),
            "later": TableColumn(words.say("views.domains.later", time=labels.time(later))),
            "improvement": show_interval(words.say("views.table.improvement"), ("mean_improvement", later)),
            "reading": TableColumn(words.say("views.domains.reading")),
        }
        several = len(groups) > 1
        lines = [_describe_group(one, group, domains, several) for one in measures for group in groups]
    key = "caption_one" if len(groups) == 1 else "caption_several"
    caption = words.say(f"views.domains.{key}", time=labels.time(later))
    stub, said = words.say("views.domains.measure"), [caption, *list_unmeasured(domains, groups)]
    return build_table_view("domains", domains, lines, columns, said, stub)


def _describe_group(measure: DomainMeasure, group: str, release: Release, several: bool) -> TableLine:
    """Return the line of a measure under one therapy, below the measure's name where there are several."""
    own: dict[Any, Any] = {
        (statistic, time): row for (of, statistic, time), row in measure.cells.items() if of == group
    }
    later = pick_later(release)
    gain = own.get(("mean_improvement", later))
    reading = _read_change(gain, release)
    cells = {
        **own,
        "n": gain if gain is not None else own.get((measure.later, later)),
        "later": own.get((measure.later, later)),
        "reading": measure.labels.words.say(f"views.domains.{reading}") if reading else "",
    }
    title = measure.labels.title(group)
    return TableLine(title, cells, measure.full_name) if several else TableLine(measure.full_name, cells)


_ROW_INCHES = 0.32
_GROUP_INCHES = 0.17


@made_from("domains")
def draw_domains(domains: Release) -> View:
    """Draw the improvement in every measure on one axis, as a percentage of the measure's range.

    A figure with one row a measure and one mark a therapy; a mark stands for every shown row. Measures
    without a score at the start or without a direction are left to the table.
    """
    labels = read_labels(domains)
    groups, later = pick_groups(domains, labels), pick_later(domains)
    shown = [
        (measure, group, row)
        for measure in list_measures(domains, labels)
        for group in groups
        if (row := measure.cells.get((group, "mean_improvement", later))) is not None and row.shown
    ]
    if not shown:
        return build_empty_view("domains-figure", "figure", domains)
    figure = plot_domains(shown, groups, labels, domains)
    words, time = domains.words, labels.time(later)
    texts = []
    for measure, group, row in shown:
        told = {"measure": measure.labels.measure, "unit": measure.labels.unit, "group": labels.short(group)}
        texts.append(words.say("views.domains.figure_row", number=write_interval(row, domains), **told))
    alt = words.say("views.domains.figure_alt", time=time, rows=" ".join(texts))
    rows = pd.DataFrame([row for *_, row in shown])
    caption = words.say("views.domains.figure_caption", time=time)
    return build_figure_view("domains-figure", domains, figure, alt, caption, rows)


@apply_style()
def plot_domains(
    shown: Sequence[tuple[DomainMeasure, str, Any]], groups: Sequence[str], labels: Labels, domains: Release
) -> "Figure":
    """Return the figure of some shown improvements, one mark each."""
    measures = list(dict.fromkeys(measure.outcome for measure, *_ in shown))
    sizes = read_facts("appearance")["labels"]
    names = {
        measure.outcome: cut_label(measure.labels.measure, sizes["row_characters"]) for measure, *_ in shown
    }
    numbers = [write_interval(row, domains) for *_, row in shown] if len(groups) == 1 else []
    height = max(_ROW_INCHES, _GROUP_INCHES * len(groups) + 0.2)
    figure = open_figure(0.95 + height * len(measures))
    style, words = read_style(), labels.words
    left = measure_text(figure, list(names.values()), style["text_size"]) + 0.25
    head = [words.say("views.domains.number_head")] if numbers else []
    names_of_groups = [_name_group(group, labels) for group in groups] if len(groups) > 1 else []
    right = measure_text(figure, [*numbers, *head, *names_of_groups], style["small_size"]) + 0.3
    axes = place_axes(figure, left, 0.55, right, 0.35)
    for measure, group, row in shown:
        shift = (groups.index(group) - (len(groups) - 1) / 2) * _GROUP_INCHES / height
        y, instrument = measures.index(measure.outcome) + shift, measure.labels.instrument
        per = 100 / (instrument.maximum - instrument.minimum)
        colour, _, marker = pick_look(group, labels)
        axes.hlines(y, row.conf_low * per, row.conf_high * per, color=colour, linewidth=style["line_width"])
        draw_mark(axes, row.estimate * per, y, (colour, marker), 1, zorder=3)
    _finish_axes(axes, [names[outcome] for outcome in measures], words.say("views.domains.axis"))
    transform = axes.get_yaxis_transform()
    for place, text in enumerate(numbers):
        write_small(axes, 1.02, place, text, transform, color=style["ink"])
    if numbers:
        write_small(axes, 1.02, -0.72, head[0], transform, va="bottom")
    else:
        _write_key(axes, groups, labels)
    return figure


def _name_group(group: str, labels: Labels) -> str:
    return cut_label(labels.title(group), read_facts("appearance")["labels"]["direct_characters"])


def _finish_axes(axes: "Axes", names: Sequence[str], axis: str) -> None:
    style = read_style()
    low, high = axes.get_xlim()
    edge = 0.04 * (max(high, 0) - min(low, 0) or 1)
    axes.set_xlim(min(low, -2 * edge), max(high, 2 * edge))
    axes.axvline(0, color=style["soft"], linewidth=1, zorder=1)
    axes.grid(axis="x")
    list_marks_by_row(axes, names)
    axes.set_xlabel(axis)


def _write_key(axes: "Axes", groups: Sequence[str], labels: Labels) -> None:
    """Name the therapies at the right, each with its mark, in the order of the marks of a row."""
    height = axes.get_window_extent().height / axes.figure.dpi
    for place, group in enumerate(groups):
        colour, text, marker = pick_look(group, labels)
        y = 1 - (0.1 + 0.22 * place) / height
        draw_mark(axes, 1.03, y, (colour, marker), clip_on=False, transform=axes.transAxes)
        write_small(axes, 1.055, y, _name_group(group, labels), axes.transAxes, color=text)
