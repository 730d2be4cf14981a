"""What of its environment the server hands on to the processes that it starts."""

from collections.abc import Mapping

HANDED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TMPDIR",
        "TZ",
        "LANG",
        "LANGUAGE",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    }
)
"""Names of what a Python process needs to run and to reach exchanges. Whatever else there is, the server's own
passwords first of all, is none of the business of the code that users upload."""


def environment_of_children(environment: Mapping[str, str]) -> dict[str, str]:
    """What is handed on of `environment`: nothing but what is named here, and the locale."""
    return {name: value for name, value in environment.items() if name in HANDED_ON or name.startswith("LC_")}
