"""Read the stored state of an instance; what somebody broke is refused in words."""

from __future__ import annotations

from engine.bundle import Deployed
from engine.errors import Unreadable
from engine.spiff import Flow
from engine.spiff.host import Host
from engine.spiff.stored import Stored
from engine.stored.instance import Instance


def loaded(deployed: Deployed, instance: Instance, stored: Stored, host: Host, *, is_awake: bool = False) -> Flow:
    """Return the flow of an instance. is_awake: as ``Flow.load``. Raises: Unreadable."""
    try:
        return Flow.load(deployed.bundle, instance.state, stored, host, is_awake=is_awake)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise unreadable(instance, error) from error


def unreadable(instance: Instance, error: Exception) -> Unreadable:
    """Return the refusal of an instance whose state somebody broke."""
    why = f"{type(error).__name__}: {error}"
    return Unreadable(f"Expected the state of {instance.business_key} to be readable, but it is not ({why})")
