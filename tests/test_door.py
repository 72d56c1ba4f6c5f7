"""What anybody on the network may say to the door, and how little comes of it."""

from __future__ import annotations

import http.client
import socket

import pytest

from tests.guarded import HERE
from tests.office import Office


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff", b"[" * 10000, b'{"place":"expo/north","csr":"x","mac":"y","more":1}',
     b'{"place":"../..","csr":"","mac":""}', b'{"place":"expo/nowhere","csr":"x","mac":"0"}', b"x" * 20_000],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_everything_that_is_wrong_gets_the_same_answer(body: bytes, office: Office) -> None:
    expected = 403, b'{"error":"refused: ask for a new claim code"}'
    assert office.post("/enrol", body) == expected
    assert office.post("/renew", body) == expected


def test_a_body_without_end_is_not_waited_for(office: Office) -> None:
    with socket.create_connection((HERE, office.door.port), timeout=10) as caller:
        caller.sendall(b"POST /enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        caller.sendall((b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 2)
        assert caller.recv(100).startswith(b"HTTP/1.1 403")


def test_the_door_has_two_pages(office: Office) -> None:
    assert office.post("/", b"{}")[0] == 404
    connection = http.client.HTTPConnection(HERE, office.door.port, timeout=10)
    connection.request("GET", "/enrol")
    assert connection.getresponse().status == 405
    connection.close()
