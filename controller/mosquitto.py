"""The hardened mosquitto: who may connect, what a client may cost, and where the roles are kept.

The folder written here is all that the broker needs.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection
from pathlib import Path
from typing import Final

from controller import roles
from controller.authority import Authority, replace_secret
from controller.broker import BrokerError, find
from controller.ledger import Reader

CONFIG: Final = "mosquitto.conf"
KNOWN: Final = "dynamic-security.json"  # written before each start, and by mosquitto after each change
PLUGIN: Final = "mosquitto_dynamic_security.so"
LIBRARIES: Final = ("/usr/lib/*", "/usr/lib", "/usr/local/lib/*", "/usr/local/lib")

CONFIGURATION: Final = """\
# Written by `menshen controller init`; it is written anew by the next.
user {user}
per_listener_settings false
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {known}

# Nothing depends on what a broker keeps: gates keep their events until the controller has them.
persistence false

# What one client may cost. The largest message is a policy, with 29,000 listed codes. No memory_limit: in 2.0.11 the
# plugin frees what the count of memory never held, which ends below nothing and then refuses everything.
max_packet_size 1048576
max_queued_messages 1000
max_queued_bytes 8388608
max_inflight_messages 20
max_keepalive 120
set_tcp_nodelay true

# Debug is the only level at which mosquitto tells of what it refused: see controller/refusals.py.
log_dest stderr
log_type all
connection_messages true
log_timestamp_format %Y-%m-%dT%H:%M:%S

# The gates. The certificate says who it is, whatever user name or client id it sends.
listener {gates}
use_username_as_clientid true
max_connections 2000
{tls}
# The controller's own programs, of which several run at once: they choose their client ids.
listener {own} 127.0.0.1
max_connections 100
{tls}"""

TLS: Final = """\
tls_version tlsv1.3
cafile {folder}/ca.crt
certfile {folder}/broker.pem
keyfile {folder}/broker.pem
require_certificate true
use_identity_as_username true
max_qos 1
max_topic_alias 0
"""


def plugin(folders: tuple[str, ...] = LIBRARIES) -> Path:
    """Return where the dynamic-security plugin is that this machine's mosquitto can load."""
    machine = _machine(Path(find()))
    for folder in folders:
        for path in sorted(Path("/").glob(f"{folder}/{PLUGIN}".lstrip("/"))):
            if _machine(path) == machine:
                return path
    raise BrokerError(
        f"{PLUGIN} is in none of {', '.join(folders)}: install mosquitto 2 from Debian or Raspberry Pi OS, "
        "which has it: apt-get install mosquitto"
    )


def _machine(program: Path) -> bytes:
    """Return what an ELF file was built for: its class and byte order, and its machine."""
    with program.open("rb") as file:
        header = file.read(20)
    return header[4:6] + header[18:20]


def write(folder: Path, authority: Authority, host: str, *, gates: int, own: int) -> None:
    """Write the broker's folder, all but the roles; gates reach it as `host`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_secret(folder / "ca.crt", authority.pem.encode())
    replace_secret(folder / "broker.pem", authority.broker(host))
    text = CONFIGURATION.format(
        user=getpass.getuser(),
        plugin=plugin(),
        known=folder / KNOWN,
        gates=gates,
        own=own,
        tls=TLS.format(folder=folder),
    )
    replace_secret(folder / CONFIG, text.encode())


def write_roles(folder: Path, names: Collection[str], readers: Collection[Reader] = ()) -> None:
    """Write what mosquitto begins with: the controller, these gates and readers."""
    replace_secret(folder / KNOWN, roles.document(names, readers))
