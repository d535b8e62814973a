"""How values are rounded."""

DIGITS = 1


def rounded(text: str) -> str:
    return f"{float(text):.{DIGITS}f}"
