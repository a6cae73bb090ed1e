"""What the description promises holds for requests that are made from it: `make fuzz-serve` makes thousands."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from seqcast.serve.app import create_app
from seqcast.serve.openapi import describe
from seqcast.serve.problems import MEDIA_TYPE
from seqcast.serve.routes import ROUTES
from seqcast.serve.settings import ServerSettings

from .clients import Client

EXAMPLES = int(os.environ.get("SEQCAST_FUZZ_SERVE", 8))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


DESCRIPTION = schemathesis.openapi.from_dict(describe(has_keys=False))


@pytest.fixture(scope="module")
def one(models):
    """A server with one model, so that bodies without a name reach it."""
    with Client(create_app(ServerSettings(models=models[:1], max_rows=200, watch=0, time_limit=300))) as client:
        yield client


@DESCRIPTION.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 8,
    database=None,
)
def test_requests_made_from_the_description(case, one):
    how = case.as_transport_kwargs(base_url="http://127.0.0.1")
    method, url = how.pop("method"), how.pop("url")
    for name in ("cookies", "auth", "timeout", "verify", "cert", "proxies", "allow_redirects", "stream", "hooks"):
        how.pop(name, None)
    if isinstance(how.get("data"), bytes | str):
        how["content"] = how.pop("data")
    response = one.request(method, url, **how)
    case.validate_response(schemathesis.Response.from_httpx(response, verify=False), checks=CHECKS)


def test_every_route_is_described_and_every_problem_too():
    document = describe(has_keys=True)
    assert set(document["paths"]) == ROUTES
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                assert (MEDIA_TYPE in answer["content"]) == (int(status) >= 400)
    guarded = {
        path for path, methods in document["paths"].items() if all("security" in each for each in methods.values())
    }
    assert guarded == {"/v1/forecast", "/v1/backtest", "/v1/models", "/metrics"}
