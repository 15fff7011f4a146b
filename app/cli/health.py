"""`endwatch health`: asks the service on this machine whether it is ready."""

import sys

import httpx

SECONDS = 5.0


def run(host: str, port: int) -> int:
    """Answer 0 when it is ready; else 1, and say why."""
    try:
        status = httpx.get(f"http://{host}:{port}/readyz", timeout=SECONDS).status_code
    except httpx.HTTPError as error:
        print(f"endwatch: {host}:{port} does not answer ({error})", file=sys.stderr)
        return 1
    if status != httpx.codes.OK:
        print(f"endwatch: {host}:{port} is not ready (status {status})", file=sys.stderr)
        return 1
    return 0
