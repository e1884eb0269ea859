"""What no Python program can go below: click, and one read of the Secret Service by jeepney."""

import os

import click
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.secrets"
PATH = "/org/freedesktop/secrets"


@click.command()
def token() -> None:
    """Print the token."""
    slot = os.environ["SLOT"]
    attributes = {"service": "todo/" + slot, "username": slot}
    with open_dbus_connection() as bus:

        def ask(path: str, interface: str, method: str, signature: str, *values: object) -> tuple:
            address = DBusAddress(path, NAME, "org.freedesktop.Secret." + interface)
            message = new_method_call(address, method, signature, values)
            return bus.send_and_get_reply(message).body

        collection = (PATH + "/aliases/default", "Collection")
        (items,) = ask(*collection, "SearchItems", "a{ss}", attributes)
        _, session = ask(PATH, "Service", "OpenSession", "sv", "plain", ("s", ""))
        ((_, _, secret, _),) = ask(items[0], "Item", "GetSecret", "o", session)
    click.echo(bytes(secret).decode(), nl=False)


if __name__ == "__main__":
    token()
