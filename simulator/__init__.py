"""An exchange on loopback: both venues' websockets and REST, from a synthetic market or a recorded one, with faults."""
