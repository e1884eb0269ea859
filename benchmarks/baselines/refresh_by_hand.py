"""One refresh with nothing around it: keyring for the grant, httpx to ask, keyring for the result.

It knows the token endpoint by heart, and takes what it has read, asked and written on trust.
"""

import os

import httpx
import keyring

SLOT, REFRESH_SLOT = os.environ["SLOT"], os.environ["REFRESH_SLOT"]
grant = {
    "grant_type": "refresh_token",
    "refresh_token": keyring.get_password("todo/" + REFRESH_SLOT, REFRESH_SLOT),
    "client_id": "todo-cli",
}
answer = httpx.post(os.environ["ISSUER"] + "/token", data=grant).raise_for_status().json()
keyring.set_password("todo/" + REFRESH_SLOT, REFRESH_SLOT, answer["refresh_token"])
keyring.set_password("todo/" + SLOT, SLOT, answer["access_token"])
