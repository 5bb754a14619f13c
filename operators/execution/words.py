"""The words of orders, and the codes that stand for them."""

BID, ASK = 0, 1  # sides as rows of arrays; in data sets +1 and −1

ACTIONS = ("limit", "market", "cancel", "amend")
LIMIT, MARKET, CANCEL, AMEND = range(4)
WITHHELD = 4  # of a command that a rule took back: it has a number, and is never sent

TIMES_IN_FORCE = ("gtc", "gtx", "ioc")
GTC, GTX, IOC = range(3)

STATUSES = ("accepted", "rejected", "part", "filled", "cancelled", "expired")
ACCEPTED, REJECTED, PART, FILLED, CANCELLED, EXPIRED = range(6)

REASONS = ("no book", "grid", "min size", "risk", "too many", "would take", "not open", "amend", "reset")
NO_BOOK, GRID, MIN_SIZE, RISK, TOO_MANY, WOULD_TAKE, NOT_OPEN, AMENDED, BY_RESET = range(9)
NO_REASON = -1

LIQUIDITIES = ("maker", "taker")
MAKER, TAKER = range(2)

QUEUES = ("power", "risk_averse", "optimistic")
POWER, RISK_AVERSE, OPTIMISTIC = range(3)
