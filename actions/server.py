"""The action server: Rasa asks on the loopback address, the actions answer."""

from __future__ import annotations

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor

from actions import answering, danger, petition, ticket
from actions.base import ServiceAction, Services

ACTIONS: tuple[type[ServiceAction], ...] = (
    answering.Answer,
    answering.Explain,
    answering.Repeat,
    danger.Crisis,
    danger.Emergency,
    petition.AskApart,
    petition.AskConfirmed,
    petition.AskContact,
    petition.AskLegalSeen,
    petition.AskMatter,
    petition.AskOccurred,
    petition.AskPlace,
    petition.CancelPetition,
    petition.ReadPetition,
    petition.SubmitPetition,
    ticket.AskCode,
    ticket.AskNumber,
    ticket.ReadReference,
    ticket.ShowTicket,
)


def make_executor(services: Services) -> ActionExecutor:
    """All actions, joined to their services."""
    executor = ActionExecutor()
    for action in ACTIONS:
        executor.register_action(action(services))
    return executor


def serve(services: Services, port: int) -> None:
    """Serve on 127.0.0.1 until told to stop."""
    app = create_app(make_executor(services), cors_origins=[])
    # One process: the services, their models among them, are loaded once and shared.
    app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)
