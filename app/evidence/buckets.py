"""A shelf in an S3-compatible bucket. What is put there is encrypted already."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.errors import StorageFull
from app.evidence.sealing import EvidenceDamaged, Sealed
from app.evidence.shelves import EvidenceOutOfReach
from app.settings import Settings

_log = structlog.get_logger()

FOLDER = "evidence/"
"""What the names of objects begin with, so that a bucket may hold other things too."""
GONE = {"NoSuchKey", "404"}
FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"}
PAST_THE_END = {"InvalidRange", "416"}


class BucketShelf:
    """A bucket, spoken to by boto3; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.evidence_secret_key
        self._bucket = settings.evidence_bucket
        self._client = boto3.client(
            "s3",
            endpoint_url=settings.evidence_endpoint_url,
            region_name=settings.evidence_region,
            aws_access_key_id=settings.evidence_access_key,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 3, "mode": "standard"},
                request_checksum_calculation="when_required",  # older servers know no newer sums
                response_checksum_validation="when_required",
            ),
        )

    def put(self, name: str, file: Path) -> None:
        """Store a file; it is there for good once the service has answered."""
        with file.open("rb") as body:
            self._ask(self._client.put_object, name, Body=body, ContentLength=file.stat().st_size)

    def open(self, name: str, start: int) -> Sealed:
        """Open a file at a byte."""
        answer = self._ask(self._client.get_object, name, Range=f"bytes={start}-")
        body: Sealed = _Told(answer["Body"])
        return body

    def remove(self, name: str) -> None:
        """Take a file away."""
        self._ask(self._client.delete_object, name)

    def names(self) -> Iterator[tuple[str, datetime]]:
        """List every file."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=FOLDER):
                for one in page.get("Contents", ()):
                    yield one["Key"].removeprefix(FOLDER), one["LastModified"]
        except (ClientError, BotoCoreError) as error:
            raise _trouble(error) from error

    def _ask(self, call: Callable[..., Any], name: str, **more: Any) -> Any:
        try:
            return call(Bucket=self._bucket, Key=FOLDER + name, **more)
        except (ClientError, BotoCoreError) as error:
            raise _trouble(error) from error


class _Told:
    """A body on its way from the bucket, whose failures are told in our words."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes."""
        try:
            part: bytes = self._body.read(size)
        except BotoCoreError as error:
            raise _trouble(error) from error
        return part

    def close(self) -> None:
        """Let go of the connection."""
        self._body.close()


def _trouble(error: Exception) -> Exception:
    """Say what a failure means to who asked for a file."""
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    if code in GONE | PAST_THE_END:
        return EvidenceDamaged("This file is gone from where it was stored.")
    if code in FULL:
        return StorageFull("There is no room left for files. Nothing was stored; try again later.")
    _log.error("bucket_trouble", error=str(error).splitlines()[0][:200])
    return EvidenceOutOfReach(
        "The place where files are stored does not answer. Try again shortly."
    )
