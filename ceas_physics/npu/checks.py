"""Sizes that fit into memory."""

MOST_BYTES = 8 * 2**30


def check_memory(needed: float, what: str) -> None:
    """Refuse what would need more than 8 GiB.

    Raises
    ------
    ValueError
        Naming the size.
    """
    if needed > MOST_BYTES:
        raise ValueError(f"{what} would need {needed / 2**30:.3g} GiB, more than {MOST_BYTES / 2**30:g} GiB; use less")
