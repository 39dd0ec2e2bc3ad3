"""`create_api_token`: a token with which a program speaks to the API."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from knox.models import AuthToken

from transfers.management.base import TallymanCommand, wrong_usage


class Command(TallymanCommand):
    help = "Make a token of the API for an account, and print it, once: it is kept as a digest only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME")

    def run(self, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise wrong_usage(
                f"There is no account “{options['username']}”. Make one in the admin site, or with "
                "`manage.py createsuperuser`."
            )
        if not user.is_active:
            raise wrong_usage(f"The account “{user.username}” is not active: a token of it would open nothing.")
        _, token = AuthToken.objects.create(user)
        self.stdout.write(token)
