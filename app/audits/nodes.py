"""What the answers of a form are called, the same on the way out and on the way back.

A form has a group `visit`, a group `site_1`, `site_2`, … for each site (its `reference` inside), a
repeat `unit`, a group `license` and a repeat `evidence`. An answer that states a fact is called as
the fact is; so a form that was filled before the license changed is still understood.
"""

VISIT, CONDITIONS, SITE, UNIT = "visit", "conditions", "site_", "unit"
LICENSE, EVIDENCE = "license", "evidence"
MODE, REFERENCE, COUNTED, SERIAL, SIGHTED, PICTURE = (
    "mode",
    "reference",
    "units_looked_for",
    "serial",
    "sighted",
    "picture",
)
SCANNED, CHOSEN, LINE, WHERE = "scanned", "chosen", "unit_line", "site"
ALL, SOME, NOT_ONE = "all", "some", "not_one"
"""How many of the units that should be at a site were looked for; only *all* is an inventory."""

NONE, OTHER, ELSEWHERE = "_none", "_other", "_elsewhere"
"""Choices that are no code word: the list is empty, it is another word, it is at no site."""

NONE_WRITTEN = "none"
"""What is written where a list of codes is empty."""

OTHER_SUFFIX, ANY_SUFFIX = "_other", "_any"
YES, NO = "yes", "no"
MODES = ("physical", "remote_video", "documentary")


def records(within: str, fact: str) -> str:
    """Name the repeat of a fact that is a list of records: repeats have a name of their own each."""
    return f"{within}_{fact}"
