"""What the job queue of rq_roundtrip.py is given to do: its worker imports this by name."""


def add(one, other):
    return one + other


def fail():
    raise ValueError("as it should")
