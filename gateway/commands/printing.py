"""Text for terminals, whoever wrote it."""


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would take for more than text."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
