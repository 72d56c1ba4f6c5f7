"""Every word a gate and the controller say to each other, and the connection that carries them."""
