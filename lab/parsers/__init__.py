"""Reading what programs of the host print: pure functions of their output."""
