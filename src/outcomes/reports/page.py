"""The page: sections of prose and released views, put into our own template as one file."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from outcomes.facts import Words
from outcomes.reports.exports import strip_png
from outcomes.reports.prose import render_fragment, render_prose, split_sections, translate_cell
from outcomes.reports.released import find_view_ids
from outcomes.views.view import View

if TYPE_CHECKING:
    from nbformat import NotebookNode

# tags of a heading's cell that the page's style sheet knows
_MARKS = ("answer", "methods")
_CAPTION = re.compile(r"<caption>(.*?)</caption>", flags=re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A piece of a section: prose, or a released view as the template shows it.

    Parameters
    ----------
    html : Markup
        Went through an allow-list.
    kind : str
        ``prose``, ``figure``, ``table`` or ``sentence``.
    id : str
        Of the view.
    image : str
        The figure's PNG in base 64.
    alt : str
        What the figure shows, in words.
    caption : str
    label : str
        Names the region in which a wide table scrolls.
    """

    html: Markup
    kind: str = "prose"
    id: str = ""
    image: str = ""
    alt: str = ""
    caption: str = ""
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
    """What a page says around its sections.

    Parameters
    ----------
    title : str
        The question; the page's only ``h1``.
    kicker : tuple of str
        Clinic alias, period, audience; shown above the title.
    byline : tuple of str
        Who prepared it and whom to ask.
    banners : tuple of str
        What a reader must know first: made-up records.
    caveats : tuple of str
        For the team: what the source answered against the evidence.
    footer : tuple of str
        What it was made from, by which version, on which day.
    opening : sequence of Block
        What the notebook says below its title.
    sections : sequence of Section
    """

    title: str
    kicker: tuple[str, ...]
    byline: tuple[str, ...]
    banners: tuple[str, ...]
    caveats: tuple[str, ...]
    footer: tuple[str, ...]
    opening: Sequence[Block]
    sections: Sequence[Section]


def build_sections(
    report: str, notebook: NotebookNode, views: Mapping[str, View], words: Words
) -> tuple[str, list[Block], list[Section]]:
    """Return title, text below the title, and sections of an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Its Markdown is used, and of its outputs the ids of released views; code and all else is dropped.
    views : mapping of View
        The released views of the run by id.
    words : Words

    Returns
    -------
    tuple
        A section for each heading of the second level; text before the first of them belongs to the title.
        A released view of kind ``title`` takes the place of the notebook's own title.
    """
    title, asked, opening = "", "", list[Block]()
    sections: list[Section] = []
    for cell in notebook.cells:
        blocks = sections[-1].blocks if sections else opening
        if cell.cell_type == "code":
            shown = [views[id] for id in find_view_ids(cell) if id in views]
            asked = next((view.alt for view in shown if view.kind == "title"), asked)
            for block in (_show_view(view, words) for view in shown if view.kind != "title"):
                # a figure and its table may both give the same reason for being empty
                if not (blocks and block.kind == "sentence" and block.html == blocks[-1].html):
                    blocks.append(block)
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
    """Return the page as one HTML document.

    Parameters
    ----------
    page : Page
    words : Words
        Of the page's language.

    Returns
    -------
    str
        Without script, external address, code, path or parameter other than the page's own.
    """
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


def _show_view(view: View, words: Words) -> Block:
    if view.png is not None:
        image = base64.b64encode(strip_png(view.png)).decode("ascii")
        return Block(Markup(), view.kind, view.id, image, view.alt, escape(view.caption))
    fragment = render_fragment(view.html)
    if "<table" not in fragment:
        return Block(Markup(fragment), "sentence", view.id)
    # a table's caption stands below the region in which a wide table scrolls, so that it stays in sight
    captions = [Markup(text) for text in _CAPTION.findall(fragment)] or [escape(view.caption)]
    label = Markup(" ").join(captions).striptags() or words.say("page.table")
    return Block(Markup(_CAPTION.sub("", fragment)), "table", view.id, "", "", captions[0], label)


def _open_section(title: str, cell: NotebookNode, before: Sequence[Section], place: str) -> Section:
    letters = unicodedata.normalize("NFKC", title).lower()
    # where the prose is translated, links within it name the cell
    slug = place or re.sub(r"[^\w]+", "-", letters).strip("-") or "section"
    if slug in {"main", *(section.id for section in before)}:
        slug = f"{slug}-{len(before) + 1}"
    return Section(slug, title, tuple(mark for mark in _MARKS if mark in cell.metadata.get("tags", ())))


def _flatten(heading: str) -> str:
    """Return a heading's text without Markdown or HTML."""
    return Markup(render_prose(heading)).striptags()
