"""Cameras: one file a driver, each with `class Camera`."""
