"""How many failures are free, and how long one waits after more: nobody is shut out for good."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failures are free, and after how long one is forgiven."""

    free: int
    forgiven_after: timedelta


OF_A_NAME = Allowance(5, timedelta(hours=1))
OF_A_DEVICE = Allowance(10, timedelta(hours=1))
OF_AN_ADDRESS = Allowance(30, timedelta(minutes=1))
"""An address may be a whole office; a name and a device are one person's."""
LONGEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Failures:
    """How often it failed of late, and until when nobody is heard."""

    count: int
    wait_until: datetime | None
    to_be_told: bool


def failed(count: int, last: datetime | None, allowance: Allowance, now: datetime) -> Failures:
    """Count one more failure: beyond the free ones each doubles the wait, from 2 seconds to 15 minutes.

    Told to the journal are the first, and the one with which waiting begins: so an attack leaves a
    trace and cannot flood it.
    """
    forgiven = 0 if last is None else max(0, int((now - last) / allowance.forgiven_after))
    kept = max(0, count - forgiven) + 1
    over = kept - allowance.free
    wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(over, 20))) if over > 0 else None
    return Failures(kept, now + wait if wait else None, kept == 1 or over == 1)


def address_block(host: str | None) -> str:
    """Name what an address counts as: itself, or of IPv6 the 64 bits that one household gets."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
