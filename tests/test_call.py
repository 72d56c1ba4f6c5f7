"""A provider asked over HTTP and TLS: whom to believe, how long to wait, how much to read."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.authority import Authority
from controller.oidc.call import MAX_ANSWER, Answer, CallError, call, context

SAID = b'{"issuer": "x"}'
HEAD = b"HTTP/1.0 200 OK\r\nDate: Tue, 24 Nov 2026 18:00:00 GMT\r\nContent-Type: application/json\r\n\r\n"
Talk = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(talk: Talk, address: str = "127.0.0.1") -> Iterator[str]:
    """Let something happen on each line that somebody opens."""
    over = threading.Event()
    with socket.create_server((address, 0)) as listening:
        listening.settimeout(0.05)

        def run() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    line, _ = listening.accept()
                    line.settimeout(10)
                    with line, suppress(OSError):
                        talk(line, over)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"{address}:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def plainly(*parts: bytes, pause_s: float = 0.0) -> Talk:
    def talk(line: socket.socket, over: threading.Event) -> None:
        line.recv(65536)
        for part in parts:
            line.sendall(part)
            over.wait(pause_s)

    return talk


def encrypted(folder: Path) -> tuple[Talk, str]:
    """Answer as a provider of our own authority does; return its certificate as well."""
    authority = Authority.make(folder / "authority")
    pair, ca = folder / "pair.pem", folder / "ca.pem"
    pair.write_bytes(authority.broker())
    ca.write_text(authority.pem, encoding="ascii")
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(pair)

    def talk(line: socket.socket, over: threading.Event) -> None:
        with offered.wrap_socket(line, server_side=True) as safe:
            plainly(HEAD, SAID)(safe, over)

    return talk, str(ca)


def asked(url: str, *, ca: str = "", within_s: float = 5.0) -> Answer:
    return call(url, time.monotonic() + within_s, context(ca))


def test_an_answer_is_one_object_and_the_time(tmp_path: Path) -> None:
    talk, ca = encrypted(tmp_path)
    with server(talk) as host:
        answer = asked(f"https://{host}/x?y=1", ca=ca)
    assert (answer.status, answer.said) == (200, json.loads(SAID))
    assert answer.at is not None
    assert answer.at.hour == 18


def test_only_who_the_authority_vouches_for_under_this_name_is_believed(tmp_path: Path) -> None:
    talk, ca = encrypted(tmp_path)
    with server(talk, "127.0.0.2") as host:
        with pytest.raises(CallError, match="certificate verify failed"):
            asked(f"https://{host}/")
        with pytest.raises(CallError, match="not valid for"):
            asked(f"https://{host}/", ca=ca)


@pytest.mark.parametrize("url", ["http://login.example/", "ftp://127.0.0.1/", "https://a@b.example/", "https:///x", ""])
def test_nothing_is_said_but_to_a_safe_address(url: str) -> None:
    with pytest.raises(CallError, match="no https address"):
        asked(url)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((b"HTTP/1.0 200 OK\r\n\r\n<html>",), "not JSON"),
        ((b"HTTP/1.0 200 OK\r\n\r\n[]",), "not a JSON object"),
        ((b"HTTP/1.0 500 No\r\n\r\n<html>",), "HTTP status 500"),
        ((b'HTTP/1.0 400 No\r\n\r\n{"error": "invalid_grant"}',), "HTTP status 400, invalid_grant"),
        ((b"HTTP/1.0 302 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n",), "HTTP status 302"),
        ((b"HTTP/1.0 200 OK\r\n\r\n", b" " * (MAX_ANSWER + 1)), "more than"),
        ((b"what is this\r\n\r\n",), "what is this"),
        ((), "without response"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",), "IncompleteRead"),
        ((b"HTTP/1.0 200 OK\r\n" + b"a: b\r\n" * 200,), "headers"),
    ],
)
def test_what_is_no_answer_says_what_it_is(parts: tuple[bytes, ...], why: str) -> None:
    with server(plainly(*parts)) as host, pytest.raises(CallError, match=why):
        asked(f"http://{host}/")


def nothing(_line: socket.socket, over: threading.Event) -> None:
    over.wait()


def test_whoever_takes_their_time_is_cut_off() -> None:
    silent: dict[str, Talk] = {
        "http": nothing,
        "https": nothing,
        "http by bytes": plainly(*(bytes([byte]) for byte in HEAD + SAID), pause_s=0.05),
        "https by bytes": plainly(*(bytes([byte]) for byte in b"\x16\x03\x03\x40\x00" + bytes(999)), pause_s=0.05),
    }
    for name, talk in silent.items():
        with server(talk) as host:
            begun = time.monotonic()
            with pytest.raises(CallError, match="no answer in time"):
                asked(f"{name.split()[0]}://{host}/", within_s=0.3)
            assert time.monotonic() - begun < 3, name
