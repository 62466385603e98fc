"""A client that has gone before its answer began is no fault of the server."""

from __future__ import annotations

import logging

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import make_mocked_request

from ssr.engine_server.server.app import shape_errors


async def test_a_client_that_is_gone_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise ClientConnectionResetError("Cannot write to closing transport")

    with caplog.at_level(logging.DEBUG):
        response = await shape_errors(make_mocked_request("POST", "/generate_stream"), handler)
    assert response.status == 499
    assert caplog.records == []


async def test_a_fault_of_the_server_is_one(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise RuntimeError("broken")

    with caplog.at_level(logging.ERROR):
        response = await shape_errors(make_mocked_request("POST", "/generate"), handler)
    assert response.status == 424, "as TGI has it"
    assert "POST /generate failed" in caplog.text
