"""The sentences that travel with a release: its own notes, and those of its result that hold no count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from outcomes.disclosure.rules import Rules
from outcomes.facts import read_facts, read_words


def _counting() -> re.Pattern[str]:
    words = read_words()
    nouns, bounds, units = (words.say(f"release.{key}") for key in ("counted", "bounds", "units"))
    # A bound such as "at least 30 patients" is a rule, not a count of these records.
    return re.compile(
        rf"(?<!\w)(?P<bound>(?:{bounds})\s+)?(?<![.\d])\d[\d,]*(?![.,]?\d)\s+(?!{units})(?:\w+\s+){{0,2}}(?:{nouns})\b",
        re.I,
    )


def drop_counts(text: str) -> str:
    """Return a text without its sentences that count people or records.

    Sentences of a result are written for the team and may say how many patients a step concerned; a number
    in a sentence cannot be checked against k, so such a sentence does not leave.

    Examples
    --------
    >>> drop_counts("Means with t intervals. 3 patients had no age. Needed are at least 30 patients.")
    'Means with t intervals. Needed are at least 30 patients.'
    """
    pattern = _counting()
    kept = [
        sentence
        for sentence in re.split(r"(?<=[.;!?])\s+(?=[A-Z0-9])", text)
        if all(match.group("bound") for match in pattern.finditer(sentence))
    ]
    return " ".join(kept)


def choose_sentences(texts: Iterable[str], rules: Rules) -> tuple[str, ...]:
    """Return texts without sentences that count, and without those that tell of very few or of all alike."""
    kept_back = [_match_sentence(key) for key in rules.kept_back]
    said = (text for text in texts if not any(pattern.fullmatch(text) for pattern in kept_back))
    return tuple(kept for kept in map(drop_counts, said) if kept)


def _match_sentence(key: str) -> re.Pattern[str]:
    """Return what matches a sentence of the catalogue, whatever stands in its places."""
    section, _, name = key.rpartition(".")
    parts = re.split(r"\{\{ \w+ \}\}", read_words().list(section)[name])
    return re.compile(".+".join(map(re.escape, parts)))


def allow_provenance(provenance: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Return the allowed entries of a provenance, the fingerprint cut to a prefix.

    Texts within lose the sentences that count people or records.
    """
    allowed = {key: _clean(provenance[key]) for key in rules.provenance["allowed"] if key in provenance}
    if provenance.get("fingerprint"):
        allowed["fingerprint"] = str(provenance["fingerprint"])[: rules.provenance["fingerprint_characters"]]
    return allowed


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return drop_counts(value)
    if isinstance(value, Mapping):
        return {key: _clean(entry) for key, entry in value.items()}
    return value


def write_held_notes(rows: Sequence[Mapping[str, Any]], withholds: bool, rules: Rules) -> Iterator[str]:
    """Yield the notes about numbers that the ledger of releases held back: since when, and why.

    Parameters
    ----------
    rows : sequence of mappings
        As released.
    withholds : bool
        Whether some had no earlier value to show.
    rules : Rules
    """
    words = read_words()
    days = sorted({str(row["as_of"]) for row in rows if isinstance(row.get("as_of"), str)})
    if days:
        mark = words.say("release.as_of_mark")
        yield words.say("release.held.note", mark=mark, k=rules.k, days=", ".join(days))
    if withholds:
        yield words.say("release.held.withheld", mark=words.say("release.withheld"), k=rules.k)


def _say_profile(rules: Rules) -> str:
    """Name the profile, its source, and k where the report has another than the profile."""
    words, own = read_words(), read_facts("disclosure")["profiles"][rules.profile]
    said = words.say("release.profile", profile=own["label"], source=own["source"], k=rules.k)
    if rules.k == own["k"]:
        return said
    key = "k_lower" if rules.k < own["k"] else "k_higher"
    return f"{said} {words.say(f'release.{key}', k=rules.k, usual=own['k'])}"


def write_notes(said: Sequence[str], bands: bool, rules: Rules) -> tuple[str, ...]:
    """Return the notes of a stakeholder's release: precision, what was withheld and why.

    `said` holds the fates of all rows, and the reasons of those that were left out.
    """
    words = read_words()
    counted = {entry: said.count(entry) for entry in set(said)}
    notes = [words.say("release.rounded", multiple=rules.cells["count_multiple"]), _say_profile(rules)]
    if bands:
        notes.append(words.say("release.bands_note"))
    if counted.get("withheld") or counted.get("few"):
        notes.append(words.say("release.withheld_note", mark=words.say("release.withheld"), k=rules.k))
    if counted.get("spread"):
        notes.append(words.say("release.spread_note"))
    if counted.get("dropped"):
        notes.append(words.say("release.dropped_note", k=rules.k))
    if counted.get("sites"):
        league = rules.league
        notes.append(
            words.say(
                "release.league_note", sites=league["sites_at_least"], n=max(league["n_at_least"], rules.k),
                largest=f"{100 * league['largest_share']:g}",
            )
        )  # fmt: skip
    if counted.get("not_comparable"):
        notes.append(words.say("release.not_compared"))
    return tuple(notes)
