"""The page: sections of prose and released views, and what stands around them, as one file."""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import outcomes
from outcomes.cohort import read_filters
from outcomes.facts import Source, Words
from outcomes.reports.exports import strip_png
from outcomes.reports.parameters import Value
from outcomes.reports.prose import render_fragment, render_prose, split_sections, translate_cell
from outcomes.reports.released import find_view_ids
from outcomes.views.labels import name_column, name_level, name_measure
from outcomes.views.view import View, write_html

if TYPE_CHECKING:
    from nbformat import NotebookNode

# tags of a heading's cell that the page's style sheet knows
_MARKS = ("answer", "methods")
_CAPTION = re.compile(r"<caption>(.*?)</caption>", flags=re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A piece of a section: prose, or a released view as the template shows it."""

    #: Went through an allow-list.
    html: Markup
    #: ``prose``, ``figure``, ``table`` or ``sentence``.
    kind: str = "prose"
    id: str = ""
    #: The figure's PNG in base 64, and what it shows in words.
    image: str = ""
    alt: str = ""
    caption: str = ""
    #: Names the region in which a wide table scrolls.
    label: str = ""


@dataclass
class Section:
    """A heading and what stands below it."""

    id: str
    title: str
    marks: tuple[str, ...] = ()
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """What a page says."""

    #: The question; the page's only ``h1``.
    title: str
    #: Clinic alias, period, audience; shown above the title.
    kicker: tuple[str, ...]
    #: Who prepared it and whom to ask.
    byline: tuple[str, ...]
    #: What a reader must know first: made-up records.
    banners: tuple[str, ...]
    #: For the team: what the source answered against the evidence.
    caveats: tuple[str, ...]
    #: What it was made from, by which version, on which day.
    footer: tuple[str, ...]
    #: What the notebook says below its title.
    opening: Sequence[Block]
    sections: Sequence[Section]


def build_sections(
    report: str, notebook: "NotebookNode", views: Mapping[str, View], words: Words
) -> tuple[str, list[Block], list[Section]]:
    """Return title, text below the title, and sections of an executed notebook.

    Its Markdown is used, and of its outputs the ids of released views; code and all else is dropped. Each
    heading of the second level opens a section; a released view of kind ``title`` takes the place of the
    notebook's own title.
    """
    title, asked, opening = "", "", list[Block]()
    said: dict[str, str] = {}
    sections: list[Section] = []
    for cell in notebook.cells:
        blocks = sections[-1].blocks if sections else opening
        if cell.cell_type == "code":
            shown = [views[id] for id in find_view_ids(cell) if id in views]
            asked = next((view.alt for view in shown if view.kind == "title"), asked)
            section = sections[-1].title if sections else ""
            for view in (view for view in shown if view.kind != "title"):
                block = _show_view(view, words, said)
                where = {said.get(sentence) for sentence in view.sentences}
                if block.kind == "sentence" and where and None not in where:
                    # several views may give the same reason for being empty
                    block = _refer(where - {section}, words)
                blocks += [block] if (block.html or block.image) and block not in blocks else []
                said.update((sentence, section) for sentence in view.sentences if sentence not in said)
        if cell.cell_type != "markdown":
            continue
        for level, heading, below in split_sections(translate_cell(report, cell, words)):
            if level == 1 and not title:
                title = _flatten(heading)
            elif level:
                known = cell.get("id") in words.list(f"notebooks.{report}")
                sections.append(_open_section(_flatten(heading), cell, sections, cell.id if known else ""))
            blocks = sections[-1].blocks if sections else opening
            blocks.append(Block(Markup(render_prose(below))))
    return asked or title, opening, sections


def render_page(page: Page, words: Words) -> str:
    """Return the page as one HTML document without script, external address, code or path."""
    from nbconvert.exporters import TemplateExporter
    from nbformat.v4 import new_notebook

    class PageExporter(TemplateExporter):
        """nbconvert's exporter with our template, escaping whatever is not known to be clean."""

        file_extension = ".html"
        output_mimetype = "text/html"

        def _create_environment(self) -> Any:
            environment = super()._create_environment()
            environment.autoescape = True
            return environment

    folder = resources.files("outcomes.reports").joinpath("template")
    # the template is given as text: looking one up by name would search the user's Jupyter folders
    exporter = PageExporter(
        raw_template=folder.joinpath("page.html.j2").read_text(encoding="utf-8"),
        template_paths=[],
        preprocessors=[],
        default_preprocessors=[],
    )
    content = {
        "page": page,
        "say": words.say,
        "language": words.language,
        "style": Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
    }
    html, _ = exporter.from_notebook_node(new_notebook(), resources=content)
    return str(html)


def _show_view(view: View, words: Words, said: Container[str]) -> Block:
    """Return a view as a block of a page that has said some sentences: they leave its caption."""
    caption = Markup(write_html(" ".join(text for text in view.sentences if text not in said)))
    if view.png is not None:
        image = base64.b64encode(strip_png(view.png)).decode("ascii")
        return Block(Markup(), view.kind, view.id, image, view.alt, caption)
    fragment = render_fragment(view.html)
    if "<table" not in fragment:
        return Block(Markup(fragment), "sentence", view.id)
    # a table's caption stands below the region in which a wide table scrolls, so that it stays in sight
    label = view.caption or words.say("page.table")
    return Block(Markup(_CAPTION.sub("", fragment)), "table", view.id, "", "", caption, label)


def _refer(sections: Set[str | None], words: Words) -> Block:
    """Return a block that names the sections which say what is not said again; empty where there are none."""
    named = words.join(sorted(filter(None, sections)))
    return Block(
        Markup(f"<p>{write_html(words.say('page.see', sections=named))}</p>" if named else ""), "sentence"
    )


def _open_section(title: str, cell: "NotebookNode", before: Sequence[Section], place: str) -> Section:
    letters = unicodedata.normalize("NFKC", title).lower()
    # where the prose is translated, links within it name the cell
    slug = place or re.sub(r"[^\w]+", "-", letters).strip("-") or "section"
    if slug in {"main", *(section.id for section in before)}:
        slug = f"{slug}-{len(before) + 1}"
    return Section(slug, title, tuple(mark for mark in _MARKS if mark in cell.metadata.get("tags", ())))


def _flatten(heading: str) -> str:
    """Return a heading's text without Markdown or HTML."""
    return Markup(render_prose(heading)).striptags()


# parameters that tell pages of one notebook and source apart, in the order of their file name
_TELLING = (
    "instrument", "variant", "timepoint", "reference", "threshold", "therapy", "site", "therapist", "region",
    "only", "therapies", "timepoints", "since", "until", "measured", "every", "audience",
)  # fmt: skip
# what a page of a part of the records is about, shown above its title
_PARTS = ("site", "therapist", "region")
_SHOWN_OF_FINGERPRINT = 12
_LONGEST_NAME = 160


def build_page(
    report: str,
    notebook: "NotebookNode",
    views: Mapping[str, View],
    values: Mapping[str, Value],
    source: Source | None,
    day: datetime,
    fingerprint: str,
    words: Words,
) -> Page:
    """Put a page together from an executed notebook, its released views by id, and what was asked.

    Of the parameters only audience, measure, part of the records, clinic, period, prepared_by and contact are
    shown, of the records' fingerprint only the beginning.
    """
    title, opening, sections = build_sections(report, notebook, views, words)
    return Page(
        title=title,
        kicker=_say_kicker(values, source, words),
        byline=tuple(
            words.say(f"page.{key}", who=values[key]) for key in ("prepared_by", "contact") if values.get(key)
        ),
        banners=(words.say("page.made_up"),) if source and source.made_up else (),
        caveats=_list_answered(views) if values["audience"] == "team" else (),
        footer=_say_footer(day, fingerprint, words),
        opening=opening,
        sections=sections,
    )


def name_page(name: str, values: Mapping[str, Value], source: Source | None) -> str:
    """Return a page's file name without suffix, made of plain letters.

    Examples
    --------
    >>> name_page("therapy_comparison", {"instrument": "nprs", "variant": "", "audience": "team"}, None)
    'therapy_comparison-nprs-team'
    """
    primary = source.primary if source else {}
    parts = [name, source.name if source else ""]
    for key in _TELLING:
        value = values.get(key) or (primary.get(key) if key == "instrument" and key in values else "")
        parts.append("-".join(map(str, value)) if isinstance(value, list) else str(value or ""))
    slugs = [re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in parts]
    spelled = "-".join(slug for slug in slugs if slug)
    # names that plain letters cannot tell apart, such as those of sites, are told apart by their hash
    if (
        any(slug != part.lower() for slug, part in zip(slugs, parts, strict=True))
        or len(spelled) > _LONGEST_NAME
    ):
        digest = hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:8]
        spelled = f"{spelled[: _LONGEST_NAME - 9]}-{digest}"
    return spelled


def _say_kicker(values: Mapping[str, Value], source: Source | None, words: Words) -> tuple[str, ...]:
    primary = source.primary if source else {}
    instrument = (values.get("instrument") or primary.get("instrument")) if "instrument" in values else None
    variant = str(values.get("variant") or "")
    if not variant and instrument == primary.get("instrument"):
        variant = str(primary.get("variant") or "")
    parts = (
        values.get("clinic") or (source and (source.clinic or source.label)),
        instrument and name_measure(str(instrument), variant, words),
        *(name_level(name, str(values[name]), words) for name in _PARTS if values.get(name)),
        *_label_filters(values.get("only"), words),
        values.get("period") or (source and source.period),
        words.say(f"page.audiences.{values['audience']}"),
    )
    return tuple(str(part) for part in parts if part)


def _label_filters(only: Value, words: Words) -> Iterator[str]:
    """Yield what each filter keeps, in words."""
    for name, wanted in read_filters(only if isinstance(only, list) else []).items():
        said = wanted if isinstance(wanted, list) else [wanted]
        if isinstance(wanted, tuple):
            said = ["–".join(end or "" for end in wanted)]
        levels = ", ".join(name_level(name, str(one), words) for one in said)
        yield f"{name_column(name, words)}: {levels}"


def _list_answered(views: Mapping[str, View]) -> tuple[str, ...]:
    """Return what the source answered against the evidence: it counts patients, and is for the team."""
    told = (text for view in views.values() for text in view.provenance.get("answered", ()))
    return tuple(dict.fromkeys(map(str, told)))


def _say_footer(day: datetime, fingerprint: str, words: Words) -> tuple[str, ...]:
    made_from = (
        [words.say("page.records", fingerprint=fingerprint[:_SHOWN_OF_FINGERPRINT])] if fingerprint else []
    )
    version = words.say("page.version", version=outcomes.__version__)
    return (*made_from, version, words.say("page.day", day=day.date().isoformat()))
