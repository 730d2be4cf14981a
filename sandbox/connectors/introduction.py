"""How the connectors tell the exchange the secret of a key that nobody created."""

HEADER = "X-SANDBOX-SECRET"
"""The exchange keeps the first secret that a key introduces, and refuses others from then on."""


def introduced(headers: dict[str, str], secret: str | None) -> dict[str, str]:
    """Headers with the secret added."""
    return {**headers, HEADER: secret} if secret else headers
