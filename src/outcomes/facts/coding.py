"""LOINC codes of scores and forms, so that coded data find their instrument."""

from __future__ import annotations

from collections.abc import Mapping

from outcomes.facts.instrument_file import list_instruments, read_instrument

#: What the meaning of a single item's code says: an item is no score.
_ITEM = " item "


def list_loinc_codes() -> Mapping[str, str]:
    """Return the LOINC codes of all instruments and what each stands for, ``id`` or ``id:variant``.

    Codes of single items are left out.

    >>> list_loinc_codes()["97909-6"], list_loinc_codes()["76700-4"]
    ('odi', 'promis_pf_4a:v1_0')
    """
    codes: dict[str, str] = {}
    for id in list_instruments():
        instrument = read_instrument(id)
        codes |= {code: id for code, meaning in instrument.loinc.items() if _ITEM not in meaning}
        for variant, subscale in instrument.subscales.items():
            codes |= dict.fromkeys(subscale.loinc, f"{id}:{variant}")
    return codes
