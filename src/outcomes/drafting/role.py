"""`Role`: what a column of a spreadsheet is for, guessed from its header and held against its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.drafting.column import SheetColumn, list_numbers, split_legend
from outcomes.drafting.spelling import (
    find_longest,
    fold,
    is_date,
    is_number,
    normalise,
    remove_word,
    split_scale,
)
from outcomes.drafting.words import (
    Moment,
    doubtful_words,
    drop_words,
    find_code,
    find_instrument_word,
    instrument_words,
    names_of,
    single_words,
    split_moment,
    words_for,
    words_of,
)
from outcomes.facts import Instrument, read_instrument, read_schema, read_timepoints
from outcomes.records.columns.numbers import parse_flags
from outcomes.records.gate.patterns import match_header
from outcomes.records.gate.person_names import find_person_names

#: Columns of the schema, and of a long file, by what their values must look like.
NUMERIC = {"age_years", "bmi", "episode_number", "duration_weeks", "n_sessions", "discharge_day"}
NUMERIC |= {"day", "score"}
_DATES = {"start_date", "date"}
_MOST_CATEGORIES = 30
#: Different numbers that may be codes of visits; scores have more.
_MOST_VISITS = 12
#: Numbers above it may be a spreadsheet's numbers of days.
_FIRST_SERIAL = 10_000
#: A column of an unknown instrument is asked about when its header is short and its values are many.
_LONGEST_UNKNOWN = 5
_FEWEST_SCORES = 6
#: Proportion of cells that look like persons' names from which on a column is taken to hold names.
_MOST_NAMES = 0.2
#: A header of so many words is a sentence, as are those that end in a question mark.
_SHORTEST_SENTENCE = 5
#: Proportion of answers that must be known words of what a question asks for.
_MOST_ANSWERS = 0.5
_YOUNGEST, _OLDEST = 5, 110
_STATUS = re.compile(r"^(.+)_complete$")
_EXPORT_MARKS = re.compile(r"^redcap_(repeat_|survey_|data_access)")


@dataclass(frozen=True)
class Role:
    """What a column is for."""

    #: ``column`` (of the schema), ``score``, ``score_date``, ``status`` (whether a form was filled in),
    #: ``identifying``, ``free_text``, ``contradicted`` (the header says one thing, the values another),
    #: ``export_mark`` (what a program adds to an export) or ``unknown``.
    kind: str
    #: Column of the schema, or id of the instrument; None for a score of an unknown instrument.
    name: str | None = None
    #: When it was given, as the header says.
    moment: Moment | None = None
    variant: str | None = None
    #: Number of the item, counted from 1.
    item: int | None = None
    #: Of a score of an unknown instrument: what the header calls it, without the time.
    label: str = ""
    #: Words of a score's header that were not understood.
    doubt: str = ""
    #: ``change`` or ``improvement`` where the header says that the column holds one.
    holds: str | None = None

    @property
    def timepoint(self) -> str | None:
        """Return the id of the time point, None where none is named."""
        return self.moment.timepoint if self.moment else None


def guess_role(column: SheetColumn) -> Role:
    """Guess what a column is for, from its header, and hold that against its values."""
    if _is_identifying(column.header):
        return Role("identifying")
    status = _STATUS.match(column.header.strip().casefold())
    if status and column.share(lambda cell: str(cell) in ("0", "1", "2", "0.0", "1.0", "2.0")) == 1:
        return Role("status", label=normalise(status[1]))
    if _EXPORT_MARKS.match(column.header.strip().casefold()):
        return Role("export_mark")
    header = normalise(split_scale(split_legend(column)[0])[0])
    names = [*names_of("columns", normalise(column.header)), *names_of("columns", header)]
    exact = next((name for name in names if fits_values(name, column)), names[0] if names else None)
    if exact is None or not fits_values(exact, column):
        score = _guess_score(column, header)
        if score is not None:
            return score
    named = [exact] if exact else _guess_schema_columns(header)
    name = next((name for name in named if fits_values(name, column)), None) or find_asked(column)
    if name is None and not named:
        return Role("free_text" if column.is_free_text else "unknown")
    return Role("column", name) if name else Role("contradicted", named[0])


def _is_identifying(header: str) -> bool:
    """Return whether the gate would refuse the header; a record number may be the key, for it is re-keyed."""
    rule = match_header(header)
    keyed = bool({"patient_id", "episode_id"} & set(_guess_schema_columns(normalise(header))))
    return rule is not None and not (rule.rekeyed and keyed)


def _guess_score(column: SheetColumn, header: str) -> Role | None:
    word = find_instrument_word(header)
    if word is None:
        return _guess_unknown(column, header)
    id, _, variant = instrument_words()[word].partition(":")
    instrument = read_instrument(id)
    alike = {other: name for other, name in instrument_words().items() if other not in words_of("timepoints")}
    rest = drop_words(remove_word(header, word), alike, instrument_words()[word])
    holds, rest = _split_holds(rest)
    if holds is None and find_longest(rest, doubtful_words("another") | words_for("beside", "another")):
        return _guess_unknown(column, header)
    named, rest = _split_variant(rest, instrument)
    moment, rest = split_moment(rest)
    if column.is_dated and set(rest.split()) & single_words("beside", "date"):
        return Role("score_date", id, moment)
    item = _find_item(rest, instrument, column) if not moment or moment.timepoint else None
    if item is None and moment is None and (number := re.search(r"(?<!\S)\d{1,2}$", rest)):
        moment, rest = Moment(None, column.header), remove_word(rest, number[0])
    left = [] if item else [part for part in rest.split() if part not in single_words("beside", "score")]
    role = Role("score", id, moment, named or variant or None, item, "", " ".join(left), holds)
    if not column.holds_scores(item is not None):
        in_doubt = bool(left) or column.is_free_text or column.is_dated
        return None if in_doubt else Role("contradicted", id, moment)
    return role if not left or _may_be_score(column, left) else None


def _guess_unknown(column: SheetColumn, header: str) -> Role | None:
    """Return a score of an unknown instrument, where the header names a time and the values are many."""
    holds, rest = _split_holds(header)
    moment, rest = split_moment(rest if holds and rest else header)
    if moment is None:
        return None
    if column.is_dated:
        names_date = bool(set(rest.split()) & single_words("beside", "date"))
        return Role("score_date", None, moment) if names_date else None
    if not _may_be_score(column, rest.split()):
        return None
    return Role("score", None, moment, label=rest, holds=holds)


def _split_holds(rest: str) -> tuple[str | None, str]:
    for name in ("change", "improvement"):
        words = doubtful_words(name)
        if find_longest(rest, words) is not None:
            return name, drop_words(rest, dict.fromkeys(words, name), name)
    return None, rest


def _may_be_score(column: SheetColumn, words: Sequence[str]) -> bool:
    few_words = len(words) <= _LONGEST_UNKNOWN
    return few_words and column.is_numeric and column.n_distinct >= _FEWEST_SCORES


def _find_item(rest: str, instrument: Instrument, column: SheetColumn) -> int | None:
    """Return the number of the item that the rest of a header names, by a word for it or by a number.

    Where numbers are larger than an answer can be, the header counts visits, not items.
    """
    labels = [{normalise(label), *words_for("items", label)} for label in instrument.scoring_rule.items]
    item = next((number for number, names in enumerate(labels, start=1) if rest in names), 0)
    words = "|".join(sorted(words_for("beside", "item"), key=len, reverse=True))
    match = re.fullmatch(rf"(?:(?:{words}) ?)?(\d{{1,2}})(?: (?:{words}))?", rest)
    if not item and match and 1 < int(instrument.scoring.get("n_items", 1)) >= int(match[1]):
        item = int(match[1])
    highest = instrument.scoring.get("item_maximum")
    if item and isinstance(highest, int | float):
        return item if max(list_numbers(column.filled), default=0) <= highest + 1 else None
    return item or None


def _split_variant(rest: str, instrument: Instrument) -> tuple[str | None, str]:
    """Return the variant that words of a header name, in the order of the instrument, and what is left."""
    found = []
    for names in instrument.variants.values():
        choices = {word: name for word, name in words_of("variants").items() if name in names}
        choices |= {normalise(name): name for name in names}
        word = find_longest(rest, choices)
        if word is not None:
            found.append(choices[word])
            rest = drop_words(rest, choices, choices[word])
    return "-".join(found) or None, rest


def _guess_schema_columns(header: str) -> tuple[str, ...]:
    """Return the columns of the schema whose word fills a header but for words that say nothing more."""
    words = words_of("columns")
    word = find_longest(header, words)
    if word is None:
        return ()
    _, rest = split_moment(drop_words(header, words, words[word]))
    return () if set(rest.split()) - single_words("beside", "column") else names_of("columns", word)


def find_asked(column: SheetColumn) -> str | None:
    """Return the column of the schema that a whole question asks for, where its answers prove it.

    >>> find_asked(SheetColumn("Which treatment do you have now?", ("manual therapy", "pilates") * 9))
    'therapy'
    >>> find_asked(SheetColumn("Did you have treatment before?", ("yes", "no") * 9)) is None
    True
    """
    question = normalise(column.header)
    tokens = set(question.split())
    asks = "?" in fold(column.header) or bool(tokens & single_words("beside", "asking"))
    if not asks and len(tokens) < _SHORTEST_SENTENCE:
        return None
    found = [word for word in words_of("columns") if f" {word} " in f" {question} "]
    for word in sorted(found, key=len, reverse=True):
        for name in names_of("columns", word):
            if fits_values(name, column) and _are_answers(name, column, tokens):
                return name
    return None


def _are_answers(name: str, column: SheetColumn, tokens: set[str]) -> bool:
    """Return whether answers show by themselves, or nearly, what they were asked for."""
    episodes = read_schema()["episodes"]
    if name == "therapy":
        texts = np.array([str(cell) for cell in column.filled], dtype=object)
        holds_flags = not parse_flags(texts, np.ones(len(texts), dtype=bool))[1].any()
        earlier = tokens & single_words("beside", "earlier")
        return not earlier and column.n_distinct > 1 and not column.is_numeric and not holds_flags
    if name == "timepoint":
        return column.share(lambda cell: split_moment(normalise(cell))[0] is not None) >= _MOST_ANSWERS
    if name == "age_years":
        return all(_YOUNGEST <= age <= _OLDEST for age in list_numbers(column.filled))
    if name in episodes and episodes[name].allowed:
        return column.share(lambda cell: find_code(name, str(cell)) is not None) >= _MOST_ANSWERS
    if name == "patient_id":
        return column.n_distinct >= _FEWEST_SCORES and not column.is_free_text
    return name in {"date", "start_date", "site", "therapist"}


def fits_values(name: str, column: SheetColumn) -> bool:
    """Return whether the values of a column can be what its header says."""
    if not column.filled:
        return False
    if name in NUMERIC:
        return column.is_numeric
    if name in _DATES:
        serials = list_numbers(column.filled) if column.share(is_number) >= 0.9 else []
        return column.is_dated or min(serials, default=0) > _FIRST_SERIAL
    if name in {"patient_id", "episode_id"}:
        return column.n_distinct > 1 and not column.share(is_date) >= 0.5 and not _holds_names(column)
    if name in {"site", "therapist"}:
        return not column.is_free_text and not _holds_names(column)
    if name == "therapy":
        return not column.is_numeric or column.n_distinct <= _MOST_CATEGORIES
    schema = read_schema()["episodes"].get(name)
    most = 2 * len(schema.allowed) if schema and schema.allowed else _MOST_CATEGORIES
    if name in {"timepoint", "instrument"}:
        most = _MOST_VISITS
    if column.is_numeric and column.n_distinct > most:
        return False
    return column.n_distinct <= _MOST_CATEGORIES and not column.is_dated


def _holds_names(column: SheetColumn) -> bool:
    texts = [str(cell) for cell in column.filled]
    return bool(find_person_names(texts).mean() > _MOST_NAMES)


def covariates_among(names: Sequence[str]) -> list[str]:
    """Return those columns of the schema that are known at time zero and may adjust a comparison."""
    episodes = read_schema()["episodes"]
    return [name for name in names if name in episodes and episodes[name].covariate]


def order_moments(moments: Sequence[Moment]) -> list[str]:
    """Return the ids of time points once each, in the order of their days."""
    days = {id: timepoint.day for id, timepoint in read_timepoints().items()}
    named = [moment for moment in moments if moment.timepoint]
    days |= {str(moment.timepoint): moment.day for moment in named if moment.day is not None}
    return sorted({str(moment.timepoint) for moment in named}, key=lambda id: days[id])
