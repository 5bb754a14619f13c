"""What a publisher tells of itself; the methods do nothing here."""


class KafkaTelemetry:
    """Told of rows and states, from the publisher's thread and from the workers'."""

    def sent(self, topic: str, rows: int) -> None:
        """Rows were handed to the client library."""

    def confirmed(self, topic: str, rows: int) -> None:
        """A broker has confirmed rows."""

    def buffered(self, topic: str, size: int) -> None:
        """So many bytes wait to be sent or confirmed."""

    def stalled(self, topic: str, seconds: float) -> None:
        """Nothing has been confirmed for so long, while rows wait; told once a stall."""

    def resumed(self, topic: str, seconds: float) -> None:
        """A stall has ended after so long."""

    def failed(self, topic: str, reason: str) -> None:
        """Delivery is given up."""

    def dropped(self, topic: str, rows: int) -> None:
        """Rows that came after delivery was given up, or were not confirmed when it was."""
