"""A kernel that answers for devices which are not there: a GPIO chip and an I2C bus, as drivers see them.

`machine.py` starts programs under it, and `seccomp.py` hands over the system calls by which they open a device and ask
something of it; `gpiochip.py` and `i2c.py` answer. So the libraries that run on the wall run here, unchanged.
"""
