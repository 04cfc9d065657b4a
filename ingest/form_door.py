"""What the door knows of forms: the tokens of the pages it shows, and whom it suspects."""

from __future__ import annotations

from contracts.inbound import InboundMessage
from contracts.workspace import Account, Workspace
from ingest import form_token
from ingest.form_guard import FormGuard, Sent, Suspicion
from ingest.hooks import Hooks
from runtime.clock import Clock
from runtime.kept_key import kept_key
from runtime.settings import Settings

_KEY_FILE = "form.key"


class FormDoor:
    """Tokens are signed with the form's first secret in FRONTDESK_HOOKS, which all gateways share; without one, with a key
    that this machine makes and keeps in `data/form.key`."""

    def __init__(self, settings: Settings, hooks: Hooks, clock: Clock) -> None:
        self._key_file = settings.data / _KEY_FILE
        self._hooks = hooks
        self._clock = clock
        self._guard = FormGuard(settings.trusted)

    def token(self, workspace: Workspace, account: Account) -> str:
        """For a form that is shown now."""
        return form_token.mint(self._keys(workspace, account)[0], workspace, account, self._clock.now())

    def suspicion(
        self, workspace: Workspace, account: Account, message: InboundMessage, address: str
    ) -> Suspicion | None:
        """Why this submission is held; None: it goes on. `address`: of the caller."""
        keys = self._keys(workspace, account)
        sent = Sent(
            form=f"{workspace.slug}:{account.id}",
            address=address,
            email=next((h.value for h in message.sender.handles if h.kind == "email"), ""),
            shown=form_token.shown_at(keys, workspace, account, message.provider_id),
            direct=account.direct_per_minute,
        )
        return self._guard.suspicion(sent, self._clock.now())

    def _keys(self, workspace: Workspace, account: Account) -> tuple[str, ...]:
        secrets = self._hooks.of(workspace.slug, "webform", account.id).secrets
        return tuple(secret for secret in secrets if secret) or (kept_key(self._key_file),)
