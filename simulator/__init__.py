"""An exchange on loopback: each venue's websockets and REST, from a synthetic market or a recorded one, with faults."""
