"""Thermometers: one file a driver, each with `class Thermometer`."""
