"""Accounts and their credentials."""

from aviary.actors.messages.accounts import (
    AddCredential,
    CreateAccount,
    DeleteAccount,
    DeleteCredential,
    GetAccountBalances,
    ListAccounts,
    ListCredentials,
    UpdateCredentials,
)
from aviary.actors.messages.connectors import GetConnectorStatus
from aviary.http.routing import Row
from aviary.http.views.accounts import AccountBalances

REGISTRY = "account-registry"

CREDENTIAL_TIMEOUT = 60.0
"""Seconds for checking keys against an exchange, encrypting them and connecting."""

BY_ID = {"id": "account_name"}

ROWS = (
    # As the released server has them.
    Row("GET", "/accounts/", ListAccounts, REGISTRY),
    Row("POST", "/accounts/add-account", CreateAccount, REGISTRY, status=201, query=frozenset({"account_name"})),
    Row("POST", "/accounts/delete-account", DeleteAccount, REGISTRY, query=frozenset({"account_name"})),
    Row("GET", "/accounts/{account_name}/credentials", ListCredentials, REGISTRY),
    Row(
        "POST",
        "/accounts/add-credential/{account_name}/{connector_name}",
        AddCredential,
        REGISTRY,
        status=201,
        whole="values",
        timeout=CREDENTIAL_TIMEOUT,
    ),
    Row("POST", "/accounts/delete-credential/{account_name}/{connector_name}", DeleteCredential, REGISTRY),
    # Ours.
    Row(
        "GET",
        "/accounts/{account_name}/connectors/{connector_name}",
        GetConnectorStatus,
        "accounts/{account_name}/{connector_name}",
        missing="Account '{account_name}' has no connector '{connector_name}'",
    ),
    # As the released server documents them.
    Row("GET", "/accounts", ListAccounts, REGISTRY),
    Row("POST", "/accounts", CreateAccount, REGISTRY, status=201, names={"name": "account_name"}),
    Row("PUT", "/accounts/{id}", UpdateCredentials, REGISTRY, names=BY_ID, timeout=CREDENTIAL_TIMEOUT),
    Row("DELETE", "/accounts/{id}", DeleteAccount, REGISTRY, names=BY_ID),
    Row("GET", "/accounts/{id}/balances", GetAccountBalances, REGISTRY, names=BY_ID, answers=AccountBalances),
)
