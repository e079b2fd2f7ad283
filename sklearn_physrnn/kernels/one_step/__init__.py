"""One step of a whole network in one compiled call, on the CPU."""
