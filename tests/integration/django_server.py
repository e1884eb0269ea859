"""django-oauth-toolkit in a Django project of one file, on a free loopback port.

Says what happens as one JSON object per line on stdout, first of all {"ready": ISSUER}; never a
token or a code. Environment: FOLDER (for its database), NAMELESS (any value: its redirects do
not say whose they are).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from integration.signing import rsa_pair

APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
]
LOGIN_PAGE = "<form method=post>{% csrf_token %}{{ form }}<button>Log in</button></form>"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
# name: its secret, and the only grant that it may use (a refresh apart).
CLIENTS = {
    "todo-cli": ("", "authorization-code"),
    "todo-device": ("", DEVICE),
    "todo-basic": ("todo-basic-secret", "authorization-code"),
    "inspector": ("inspector-secret", "client-credentials"),
}
REDIRECT_URIS = "http://127.0.0.1/callback http://[::1]/callback http://localhost/callback"


class Server(ThreadingMixIn, WSGIServer):
    """One thread for each request, as in production."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Leaves the log to us."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def say(**event: object) -> None:
    """Tell the test what happens."""
    print(json.dumps(event), flush=True)


def configure(origin: str) -> None:
    """Set Django up, with an empty database."""
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        STATIC_URL="/static/",
        LOGIN_URL="/login",
        INSTALLED_APPS=APPS,
        # Tables straight from the models: quicker than their history.
        MIGRATION_MODULES={app.rpartition(".")[2]: None for app in APPS},
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", {"login.html": LOGIN_PAGE}),
                        "django.template.loaders.app_directories.Loader",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": Path(os.environ["FOLDER"]) / "db.sqlite3",
            }
        },
        # Quick, and good for nothing else.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "SCOPES": {"openid": "Know who you are", "tasks": "See your tasks"},
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": rsa_pair()[0],
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": "NAMELESS" not in os.environ,
            "DCR_ENABLED": True,
            "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
            "OAUTH_DEVICE_VERIFICATION_URI": f"{origin}/o/device/",
            "DEVICE_FLOW_INTERVAL": 1,
        },
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


def fill() -> None:
    """Have one person and the clients."""
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    User.objects.create_user("ada", password="any")
    for name, (secret, grant) in CLIENTS.items():
        Application.objects.create(
            client_id=name,
            name=name,
            client_type="confidential" if secret else "public",
            client_secret=secret,
            authorization_grant_type=grant,
            redirect_uris=REDIRECT_URIS,
            algorithm="RS256",
        )


def routes() -> list[Any]:
    """Return where everything is: the issuer has a path, so its metadata lies in two places."""
    from django.contrib.auth.views import LoginView
    from oauth2_provider.decorators import protected_resource
    from oauth2_provider.urls import metadata_urlpatterns

    # Otherwise a bad token is a 403, which says nothing about tokens.
    @protected_resource(advertise_metadata=True)
    def me(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"sub": request.resource_owner.username})

    return [
        path("login", LoginView.as_view(template_name="login.html")),
        path("o/me", me),
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("", include((metadata_urlpatterns, "metadata"))),
    ]


def telling(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return *application* so that it says what it answers."""

    def told(environ: dict[str, str], start: Callable[..., Any]) -> Iterable[bytes]:
        def start_telling(status: str, *rest: Any) -> Any:
            request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
            say(request=request, status=int(status.split(maxsplit=1)[0]))
            return start(status, *rest)

        return application(environ, start_telling)

    return told


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    origin = f"http://127.0.0.1:{server.server_port}"
    configure(origin)
    fill()
    urlpatterns = routes()
    server.set_app(telling(get_wsgi_application()))
    say(ready=f"{origin}/o")
    server.serve_forever()
