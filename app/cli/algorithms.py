"""What keys of exporters sign with, as the command line names it."""

from enum import StrEnum


class Algorithm(StrEnum):
    """What a key can sign with."""

    ED25519 = "ed25519"
    ES256 = "es256"
    ES384 = "es384"
    PS256 = "ps256"
