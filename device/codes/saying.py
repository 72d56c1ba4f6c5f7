"""What a code of another issuer says of itself, for people to read: nothing here is proven."""

from __future__ import annotations

from collections.abc import Mapping

from device.codes import hc1, jose, pretix, shc
from device.codes.cose import CoseError
from device.codes.dcc import DccError
from device.codes.hc1 import Hc1Error
from device.codes.jose import JoseError
from device.codes.pretix import TicketError


def saying(data: bytes) -> Mapping[str, object]:
    """Return what a text says, by name; nothing for a text of no scheme known here, or one that cannot be read."""
    try:
        if data.startswith(shc.PREFIX):
            return shc.saying(data)
        if data.startswith(hc1.PREFIX):
            return hc1.saying(data)
        if jose.looks_like_one(data):
            message = jose.read(data)
            return {"kid": message.kid, "alg": message.header.get("alg")} | jose.loads(message.payload)
        if parts := pretix.split(data):
            return pretix.saying(parts[0])
    except (Hc1Error, CoseError, DccError, JoseError, TicketError):
        pass
    return {}
