"""How deep JSON is nested, or TOML, told before it is read.

Python's own reader goes down with it until the interpreter's limit. Whatever else happens to end there, the garbage
collector's finalizers for one, fails as well; so what is too deep for anybody's data is not read at all.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final

DEEPEST: Final = 200  # containers in containers: a rule of 64 levels, which is the deepest we read, has 128
# One that never ends is taken to the end, or each quote in it would be looked at anew for ever.
STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))
STEPS: Final = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}


def too_deep(data: bytes) -> bool:
    """Tell whether JSON has more containers in containers than anything that is meant to be read.

    Of TOML it is as good a guess: quotes and brackets in its comments are counted as well.
    """
    brackets = STRINGS.sub(b"", data).translate(None, OTHERS)
    return max(accumulate(STEPS[byte] for byte in brackets), default=0) > DEEPEST
