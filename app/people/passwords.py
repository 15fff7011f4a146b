"""Passwords: 15 to 200 characters of any kind, kept as Argon2id, never cut and never changed.

The parameters are the least OWASP's Password Storage Cheat Sheet recommends (19 MiB, 2 passes, 1 lane). A
hash of smaller ones is renewed at the next sign-in. 15 characters are what OWASP ASVS 5.0 (6.2.1)
and NIST SP 800-63B-4 ask of a password; nothing is asked of its composition, and it does not expire.
"""

import secrets
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Invalid

SHORTEST, LONGEST = 15, 200
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
LOOKED_AT = 40
"""Characters that are searched for common words; to search grows faster than the length."""
GUESSES = 1e10
"""Fewer guesses than these find it: what zxcvbn counts as less than very unguessable."""


class PasswordTooCommon(Invalid):
    """The password is made of common passwords, words, names or patterns, and soon guessed."""


def hashed(password: str) -> str:
    """Hash a password for storing."""
    return HASHER.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Say whether a password is the one stored; as slowly when there is none."""
    nobodys = _nobodys()  # made also when it is not needed, so that the first of all is no slower
    try:
        HASHER.verify(stored or nobodys, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobodys() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))


def outgrown(stored: str) -> bool:
    """Say whether a hash was made with smaller parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def check(password: str, about: Iterable[str | None], *, pointer: str) -> None:
    """Refuse a password that is soon guessed, also by who knows the person.

    zxcvbn (MIT license) brings lists of 30,000 common passwords (Mark Burnett's, from leaks), of words
    of English Wikipedia and of films, and of names of the US census.
    """
    from zxcvbn import zxcvbn  # its lists take 10 MB, which most processes never need

    words = [word for text in about if text for word in _words(text)]
    found = zxcvbn(password[:LOOKED_AT], user_inputs=["endwatch", *words])
    if float(found["guesses"]) < GUESSES:
        raise PasswordTooCommon(
            "Choose another: several words that do not belong together, or what a password manager "
            "makes. Words, names, dates and rows of keys are guessed soon, however long.",
            pointer=pointer,
        )


def _words(text: str) -> list[str]:
    folded = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    return [text, *(word for word in folded.split() if len(word) > 2)]
