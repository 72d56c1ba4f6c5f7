"""The pages at work, in a process of their own: started again when it ends, and nobody waits for it."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import threading
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

from controller.accounts import AccountError, Accounts
from controller.config import Config
from controller.web.app import app
from controller.web.away import Away
from controller.web.patience import Patience
from controller.web.readers import Readers
from controller.web.visit import House
from device.wire.plain import Plain
from device.wire.serving import server

log = logging.getLogger(__name__)
spawn = multiprocessing.get_context("spawn")  # forked, it would share the database's and the broker's descriptors

PAUSE_S: Final = 5.0  # before it is started again
END_S: Final = 5.0  # for it to end in order
AT_ONCE: Final = 400  # requests, listening pages among them; more are told to come back


class Web:
    """The process, and a thread that looks after it."""

    def __init__(self, config: Config, *, pause_s: float = PAUSE_S) -> None:
        self._config = config
        self._pause_s = pause_s
        self._over = threading.Event()
        self._process: BaseProcess | None = None
        self._thread = threading.Thread(target=self._keep, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._over.set()
        if self._process:
            self._process.terminate()
        self._thread.join(END_S + 1)

    def _keep(self) -> None:
        while not self._over.is_set():
            process = self._process = spawn.Process(target=run, args=(self._config,), name="menshen-web", daemon=True)
            process.start()
            if self._over.is_set():
                process.terminate()
            process.join()
            if not self._over.is_set():
                log.warning("the pages ended with %s; started again in %g s", process.exitcode, self._pause_s)
                self._over.wait(self._pause_s)


def run(config: Config) -> None:
    """Serve until told to end, or until the controller is gone."""
    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        server = Server(config)
    except (OSError, AccountError) as error:
        log.error("no pages at [web] %s port %d: %s", config.web.host, config.web.port, error)  # noqa: TRY400 one line
        raise SystemExit(1) from error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the controller, which then ends this
    parent = multiprocessing.parent_process()
    if parent:
        threading.Thread(target=_end_with, args=(parent.sentinel, server), daemon=True).start()
    log.info("the board is at %s", server.url)
    server.serve()


def _end_with(sentinel: int, server: Server) -> None:
    wait([sentinel])
    server.end()


class Server:
    """The pages on a port."""

    def __init__(self, config: Config) -> None:
        """Take the port at once; raise OSError where another program has it, AccountError where nobody can sign in."""
        host = config.web.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, config.web.port), family=family)
        try:
            self.accounts = Accounts.beside(config.store.path)
        except AccountError:
            self._socket.close()
            raise
        self._readers = Readers(config.store.path)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}/"
        self._away = Away(config.web.oidc) if config.web.oidc.issuer else None
        self._app = app(House(config, self._readers, self.accounts, Patience(), self._away))
        self._server = server(self._app, at_once=AT_ONCE, goodbye_s=2)

    def serve(self) -> None:
        """Answer until told to end."""
        try:
            self._server.run([self._socket])
        finally:
            self._app.state.pulse.close()
            self._readers.close()
            if self._away:
                self._away.close()
            self.accounts.close()
            self._socket.close()

    def end(self) -> None:
        """Answer what was asked, and end; safe from another thread."""
        self._server.should_exit = True
