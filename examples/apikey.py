"""`weather`: a service with API keys. `weather auth login` asks for one and keeps it."""

import os

import click

from click_auth import ApiKeyProvider, Auth

auth = Auth(
    "weather",  # config folder, keyring service, WEATHER_TOKEN, WEATHER_ACCOUNT
    ApiKeyProvider(
        api_url=os.environ.get("WEATHER_API_URL", "https://api.weather.example"),
        create_url="https://weather.example/settings/keys",
        header="X-Api-Key",
        scheme=None,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
)


@click.group()
def cli() -> None:
    """Look at the sky, from inside."""


cli.add_command(auth.group())


@cli.command()
@click.argument("place")
@auth.user_option
def now(place: str) -> None:
    """Say what the weather is like."""
    with auth.client() as api:
        answer = api.get("/now", params={"place": place}).raise_for_status().json()
    click.echo(f"{answer['place']}: {answer['sky']}, {answer['degrees']} °C")


if __name__ == "__main__":
    cli(prog_name="weather")
