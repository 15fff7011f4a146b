"""What can be imported."""

from enum import StrEnum


class Kind(StrEnum):
    """What a file holds."""

    LICENSES = "licenses"
    SHIPMENTS = "shipments"
    READINGS = "readings"
