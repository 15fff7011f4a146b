"""Without an identity provider its doors are closed."""

import pytest
from starlette.testclient import TestClient

from tests.doors.filings import problem


@pytest.mark.parametrize("path", ["/v1/sign-in/oidc", "/v1/sign-in/oidc/callback?code=a&state=b"])
def test_without_an_identity_provider_there_is_no_way_by_it(client: TestClient, path: str) -> None:
    problem(client.get(path, follow_redirects=False), 404, "oidc-not-set")
