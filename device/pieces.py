"""A code that comes in several pictures, put together over scans: one at a time, for as long as somebody is at it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from device.codes import shc
from device.codes.shc import Piece
from device.sight import Code


class Progress(NamedTuple):
    """How many pieces were shown so far."""

    have: int
    of: int


class Pieces:
    """The pieces shown so far. A piece that does not fit those before begins anew: it is another person's."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._held: dict[int, Piece] = {}
        self._last_at = 0.0

    def add(self, code: Code, now: float) -> Code | Progress:
        """Return the code to judge: itself, or the whole that it completes; or how far its holder has come."""
        piece = shc.piece(code.data)
        if piece is None:
            return code
        if not self._fits(piece, now):
            self._held = {}
        self._held[piece.number] = piece
        self._last_at = now
        if len(self._held) < piece.of:
            return Progress(len(self._held), piece.of)
        whole = shc.joined(list(self._held.values()))
        self._held = {}
        return replace(code, data=whole, text=whole.decode("ascii"))

    def look(self, now: float) -> None:
        """Forget the pieces of somebody who gave up: they may be about a person's health."""
        if now - self._last_at > self._patience_s:
            self._held = {}

    def progress(self, now: float) -> Progress | None:
        """Return how far somebody has come; None when nobody is at it, or gave up."""
        if not self._held or now - self._last_at > self._patience_s:
            return None
        return Progress(len(self._held), next(iter(self._held.values())).of)

    def _fits(self, piece: Piece, now: float) -> bool:
        others = next(iter(self._held.values()), piece)
        same = self._held.get(piece.number, piece) == piece
        return others.of == piece.of and same and now - self._last_at <= self._patience_s
