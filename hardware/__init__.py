"""The parts of an entrance: one class each on gpiozero, and drivers where a part has no pins."""
