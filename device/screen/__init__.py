"""The visitor's screen: a page of its own process, which shows what the gate says and is never in its way."""
