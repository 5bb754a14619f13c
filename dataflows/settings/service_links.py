"""Variables that Kubernetes puts into every container for the services of its namespace.

A service ``tickwax-metrics`` makes ``TICKWAX_METRICS_SERVICE_HOST``, ``TICKWAX_METRICS_PORT`` and more, which are no
settings. Source: Kubernetes, "Service", Environment variables (the form is that of Docker links).
"""

import re

_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F:]+\]?)"
_URL = rf"(?:tcp|udp|sctp)://{_ADDRESS}:\d+"
_PORT = r"(?:TCP|UDP|SCTP)"
_FORMS = [
    (re.compile(rf"(?:.*_)?{name}", re.ASCII), re.compile(value, re.ASCII))
    for name, value in (
        (r"SERVICE_HOST", _ADDRESS),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d{1,5}"),
        (r"PORT", _URL),
        (rf"PORT_\d+_{_PORT}", _URL),
        (rf"PORT_\d+_{_PORT}_PROTO", r"tcp|udp|sctp"),
        (rf"PORT_\d+_{_PORT}_PORT", r"\d{1,5}"),
        (rf"PORT_\d+_{_PORT}_ADDR", _ADDRESS),
    )
]


def is_service_link(variable: str, value: str) -> bool:
    """Whether both the name and the value have the form of such a variable.

    >>> is_service_link("TICKWAX_METRICS_PORT", "tcp://10.0.0.1:80")
    True
    >>> is_service_link("TICKWAX_METRICS_PORT", "9000")
    False
    """
    return any(name.fullmatch(variable) and form.fullmatch(value) for name, form in _FORMS)
