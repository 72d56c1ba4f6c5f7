"""One entrance: what the gate device at a staffed entrance does, offline."""
