"""Our adapter on our own venue, with the venue's faults switched on: nothing is lost or doubled."""
