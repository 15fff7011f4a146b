"""How words of the license read on a form or on paper."""

import re

NO_CHARACTER = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""What XML 1.0 (section 2.2) has no place for, not even escaped."""


def spoken(word: str) -> str:
    """Say a code word of ours as people do: `not_seen` is *not seen*."""
    return word.strip("_").replace("_", " ")


def printable(text: str) -> str:
    """Put the mark of an unreadable character where a text has one that no document can hold."""
    return NO_CHARACTER.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Keep a form from reading `${...}` in a text as a reference to an answer."""
    return printable(text).replace("${", "$\u200b{")
