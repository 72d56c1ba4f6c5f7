"""All entrances: what the operators' side stores, notices and says."""
