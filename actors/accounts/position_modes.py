"""Position modes in any spelling. Pure."""

from aviary.actors.core.refusal import Invalid


def mode_of(text: str) -> str:
    """`HEDGE` or `ONEWAY`. `Invalid` for anything else."""
    mode = text.upper().replace("-", "").replace("_", "")
    if mode not in {"HEDGE", "ONEWAY"}:
        raise Invalid(f"Invalid position mode '{text}'. Must be 'HEDGE' or 'ONEWAY'", "position_mode")
    return mode
