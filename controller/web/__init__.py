"""The operators' pages: a board that is live, what happened, and what to do about it."""
