"""The page on the de-identification gate, made from `gate.toml`."""

from __future__ import annotations

from typing import Any

from outcomes.facts import read_facts, read_words
from outcomes.facts.instrument_sheet import tabulate_rows

LEAD = """\
Before a record is typed or counted, the gate looks at every **mapped** column of every file: its header,
all its distinct values, and in a workbook what is hidden. A column that may tell who someone is refuses
the whole source (exit code 4). Columns that no source maps are never read, so a spreadsheet may keep
names beside what is mapped. A message names the file, the column, the rule, how many records and the
first lines, never a value; a header that is itself someone's data is withheld too.

The gate keeps mistakes from happening. It certifies nothing: what passes it is still personal data."""

HEADERS = """\
Headers are compared without case, marks, accents, invisible characters and trailing numbers: `Phone_2`,
`ｐｈｏｎｅ` and `PHONE` are one. Names of things pass (`clinic name`, `診所名稱`, `Name der Klinik`), those
of persons do not (`clinic patient name`). `outcomes draft` leaves such columns out by itself."""

VALUES = """\
Values are searched anywhere in a text, in full-width and other scripts' digits, whatever blanks and
dashes part them and with invisible characters between. *Certain* ones refuse a column at the first match.
*Weak* ones - numbers that one in ten numbers of their length would pass for - do so in every column but
those of ids; among ids they do where they stand out from the other ids, where more of them pass than
chance explains, or where the header says what they are, and are otherwise pointed out. Where ids are
replaced at the door (`rekey = true`), weak numbers refuse nothing. Of more than {most} ids of one length
that have a weak form, so many evenly spaced ones are checked, and all of them where these refuse."""

OTHER = """\
- **Names**: a title with a name (`Dr Lee`, `王小姐`, `Frau Meier`) in any column. Among ids of patients and
  of therapists one frequent name is enough, and so are texts that look like names where they are
  {share:.0%} of the column. In other columns it takes {share:.0%} full names. Columns of therapies are
  searched for titles only, because schools of therapy are called after persons.
- **Free text**: texts that no code list declares and that have more than {most} characters, or more than
  {mean} on average and are different in more than {distinct:.0%} of the records; more different texts
  than a column of categories can have.
- **Ages over {age}**: exact ones, and bands such as `91-95`; `90+` passes, and `top_code = {{ age_years =
  {age} }}` makes exact ages pass.
- **Full dates** in a column that is not declared as dates. Under `privacy_profile = "safe_harbor"` no
  full date is read at all.
- **File names** that hold a name or a number of a person. The message does not repeat the name.
- **Workbooks**: hidden rows, hidden mapped columns and comments on mapped cells refuse the file whatever
  they hold. Hidden sheets, other comments, page headers and footers, texts in drawings, document
  properties (but who wrote the file) and the title of the sheet refuse it where they may identify people.
  A hidden column that is not mapped is only pointed out. None of these is ever read into records."""

ALIKE = """\
`outcomes check` tells the team, and no page shows, how many **patients** share the same traits
(`quasi_identifiers` of the source; a missing value is a value, numbers go by {width}, `start_year` is the
year of `start_date`, and a patient with several episodes counts with the one that tells most): the
smallest group, patients in groups below {sizes}, how many are alone, the average and the largest risk of
being recognised by who knows all traits, and, where the source names a primary outcome, in how many
groups all had the same kind of outcome. Where groups are small it measures what merging or leaving out
traits would do, and warns below `k_min`. All figures stand in `outcomes check --json`.

What the privacy profiles allow:"""

EXCEPTIONS = """\
Where a column trips the gate and identifies nobody (study numbers that look like those of identity cards),
a person who looked at the values can vouch for them. The gate leaves an entry ready in the private
folder, `.outcomes/gate/<source>.toml`, with the fingerprint of the values. Complete it, put it into a
file beside the source TOML, and name that file in the source:

```toml
privacy_exceptions = "privacy-exceptions.toml"
```

```toml
[[exception]]
column = "patient_id"      # header of the column
rule = "PHI_TW_ID"         # the one rule that it lifts
sha256 = "..."             # as the gate wrote it: SHA-256 of the column's sorted distinct values
reason = "numbers of the study, drawn at random in 2024"
reviewer = "data protection officer"
reviewed = "2026-11-26"    # the day of the review
expires = "2027-11-20"     # at most {longest} days after it
```

An entry lifts one rule for one column of each file with exactly these values. It is void as soon as one
value is added or changed, and when it expires. What each entry came to - in force, soon to expire ({soon}
days before), expired, void, not needed - is said by `outcomes check` at every reading, and kept in
`.outcomes/gate/<source>.json`. There is no key and no option that turns the gate off."""

LIMITS = """\
- A single name that is not frequent, among codes or sites, and names within columns of therapies that
  bear no title.
- A number without a check digit, or one of a scheme that is not above; a number of a scheme among ids
  that all have its form.
- A telephone number of nine or ten bare digits among ids of that form; 5-digit postcodes by themselves;
  single coordinates.
- Days of one person in a column of dates: under `local` they are read, stay in memory, and leave as days
  after time zero.
- Minguo years below 100 without the word for it (`76/5/2`), and days with letters of another script that
  look like Latin ones.
- Pictures, and what a person is known by in a small place: that is what the k report is for.
- Records from REDCap, FHIR and databases: there is no such source yet, so their own marks of identifiers
  are not looked at."""


def write_gate_page(notice: str) -> str:
    """Return the page on what the gate refuses and how to write an exception."""
    facts = read_facts("gate")
    free, names = facts["free_text"], facts["names"]
    other = OTHER.format(
        share=names["share"],
        most=free["most_characters"],
        mean=free["mean_characters"],
        distinct=free["distinct_share"],
        age=facts["oldest_age"],
    )
    sizes = ", ".join(map(str, facts["traits"]["sizes"]))
    exceptions = facts["exceptions"]
    parts = [
        notice,
        "# The de-identification gate",
        LEAD,
        "## Headers",
        HEADERS,
        tabulate_headers(facts),
        "## Values",
        VALUES.format(most=facts["most_checked"]),
        tabulate_values(facts),
        "## Other texts, dates and hidden content",
        other,
        "## Who is alike",
        ALIKE.format(width=facts["traits"]["width"], sizes=sizes),
        tabulate_profiles(facts),
        "## How to write an exception",
        EXCEPTIONS.format(longest=exceptions["longest_days"], soon=exceptions["soon_days"]),
        "## What still gets through",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def tabulate_headers(facts: dict[str, Any]) -> str:
    """Return the families of headers with their words."""
    rows = []
    for family in facts["headers"]:
        marks = [f"under `{family['profile']}`"] if "profile" in family else []
        marks += ["in an id column accepted with `rekey = true`"] if family.get("rekeyed") else []
        kind = read_words().say(f"findings_files.gate.kinds.{family['kind']}")
        what = f"{kind}{' (' + '; '.join(marks) + ')' if marks else ''}"
        words = dict.fromkeys([*family["words"], *family["whole"], *family["parts"]])
        rows.append((what, f"`{family['rule']}`", ", ".join(words), ", ".join(family["not_beside"])))
    return tabulate_rows("what it names | rule | words | harmless beside", rows)


def tabulate_values(facts: dict[str, Any]) -> str:
    """Return what is searched in values, each meaning once."""
    checks = {"taiwan", "hongkong", "kvnr", "vin", "network", "day"}
    rows: dict[tuple[str, str, str], None] = {}
    for entry in facts["values"]:
        check = entry.get("check", "")
        by = "its form"
        if check.startswith("phone"):
            by = "phonenumbers"
        elif check:
            by = "its check, here" if check in checks else f"its check, python-stdnum `{check}`"
        what = read_words().say(f"findings_files.gate.kinds.{entry['kind']}")
        strength = {"strong": "certain", "weak": "weak"}[entry["strength"]]
        rows[what, f"`{entry['rule']}`", f"{strength}, by {by}"] = None
    regions = sorted(
        {
            part
            for entry in facts["values"]
            for part in entry.get("check", "").split(".")[1:]
            if part.isupper()
        }
    )
    told = f"Telephone numbers without a country code are known of {', '.join(regions)}."
    return tabulate_rows("what it looks like | rule | how", list(rows)) + f"\n\n{told}"


def tabulate_profiles(facts: dict[str, Any]) -> str:
    """Return what each privacy profile of a source allows."""
    rows = []
    for name, profile in facts["profiles"].items():
        refused = "none"
        if "fewest" in profile:
            refused = (
                f"groups below {profile['fewest']}, or more than {profile['most_in_small']:.0%} "
                f"of patients in groups below {profile['small']}"
            )
        rows.append((f"`{name}`", "yes" if profile["full_dates"] else "no", refused))
    return tabulate_rows("`privacy_profile` | full dates may be read | refused", rows)
