"""What the pages need of the identity provider, asked by a few threads: a page waits seconds for it, never longer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from controller.oidc.call import CallError
from controller.oidc.errands import Errand, Errands
from controller.oidc.provider import Provider
from controller.oidc.settings import OidcSection

log = logging.getLogger(__name__)

LATEST_S: Final = 1.0  # beyond what is set, where a name server answers to nobody
AT_ONCE: Final = 8
T = TypeVar("T")


class AwayError(RuntimeError):
    """Nobody comes back from there just now: the provider does not answer, or nonsense."""


class Away:
    """The provider, and those who are there."""

    def __init__(self, settings: OidcSection) -> None:
        self.settings = settings
        self.errands = Errands()
        self._provider = Provider(settings)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="provider")
        self._trouble = ""

    async def way(self, errand: Errand) -> str:
        """Return where a browser goes to sign in. Raise AwayError."""
        return await self._ask(lambda until: self._provider.way(errand, until))

    async def claims(self, code: str, errand: Errand, came_from: str) -> tuple[dict[str, Any], str]:
        """Return who comes back, and the token that says so. Raise AwayError, or TokenError where it proves nothing."""
        return await self._ask(lambda until: self._provider.claims(code, errand, came_from, until))

    async def farewell(self, hint: str) -> str:
        """Return where a browser goes to sign out there, too; nothing where it cannot. It never raises."""
        try:
            return await self._ask(lambda until: self._provider.farewell(hint, until))
        except AwayError:
            return ""

    def close(self) -> None:
        """Wait for no answer any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: Callable[[float], T]) -> T:
        until = time.monotonic() + self.settings.answer_s
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, question, until)
            answer = await asyncio.wait_for(asked, self.settings.answer_s + LATEST_S)
        except CallError as error:
            self._say(str(error))
            raise AwayError(str(error)) from error
        except TimeoutError as error:
            self._say(f"{self.settings.issuer}: no answer in time")
            raise AwayError("no answer in time") from error
        self._say("")
        return answer

    def _say(self, trouble: str) -> None:
        """Log what changes."""
        if trouble != self._trouble:
            if trouble:
                log.warning("nobody can sign in through the identity provider; passwords go on: %s", trouble)
            else:
                log.info("the identity provider answers again")
        self._trouble = trouble
