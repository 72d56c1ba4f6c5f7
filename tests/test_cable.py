"""A cable that is pulled carries nothing, and carries again when it is mended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from controller.cable import Cable


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Lay a cable to somebody who says everything back."""
    far = socket.create_server(("127.0.0.1", 0))

    def echo(end: socket.socket) -> None:
        with end:
            while data := end.recv(1000):
                end.sendall(data)

    def accept() -> None:
        while True:
            try:
                end, _ = far.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(end,), daemon=True).start()

    listener = threading.Thread(target=accept)
    listener.start()
    laid = Cable(far.getsockname()[1])
    yield laid
    laid.close()
    far.shutdown(socket.SHUT_RDWR)
    far.close()
    listener.join()


def call(cable: Cable) -> socket.socket:
    return socket.create_connection(("127.0.0.1", cable.port), timeout=5)


def says(end: socket.socket, data: bytes) -> bytes:
    try:
        end.sendall(data)
        return end.recv(1000)
    except OSError:
        return b""


def test_a_pulled_cable_carries_nothing_until_it_is_mended(cable: Cable) -> None:
    with call(cable) as before:
        assert says(before, b"hello") == b"hello"
        cable.pull()
        assert says(before, b"still there?") == b""
    with call(cable) as meanwhile:
        assert says(meanwhile, b"anybody?") == b""
    cable.mend()
    with call(cable) as after:
        assert says(after, b"again") == b"again"
